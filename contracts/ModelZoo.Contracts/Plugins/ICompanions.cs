namespace ModelZoo.Contracts;

/// <summary>Models of other plugins that a model works with, such as the tokenizer of a language model. One of <see cref="ModelSource.Services"/>, of the model that is opened.</summary>
public interface ICompanions
{
    /// <summary>
    /// Opens published files by an architecture of any plugin, on the device of the model that asks. The companion stays as long as that model and is closed after it, by the host: whoever asks does not dispose it. When the companion's plugin leaves or is
    /// replaced, the model that asked is closed first, and opens anew when it is next wanted.
    /// </summary>
    /// <param name="architecture">Such as <c>text-tokenizers/tokenizer-json</c>.</param>
    /// <param name="folder">Folder of its published files.</param>
    /// <param name="cancel">Stops waiting.</param>
    /// <exception cref="ModelZooException">No plugin has the architecture, its files cannot be opened, or it has the model that asks for a companion itself.</exception>
    Task<IModel> OpenAsync(ModelId architecture, string folder, CancellationToken cancel = default);
}
