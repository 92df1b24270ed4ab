using System.ComponentModel;
using System.Text;
using ModelZoo.Contracts;

namespace MyPlugin;

/// <summary>What a caller may choose; schema, help and error messages come from here.</summary>
public sealed record ByteOptions : ModelOptions
{
    /// <summary>Whether letters become small first.</summary>
    [Description("Make letters small before they become bytes.")]
    public bool Lowercase { get; init; }
}

/// <summary>Text to its UTF-8 bytes and back: a place to begin.</summary>
public sealed class ByteTokenizer(ModelSource source) : IModel, ITokenize<Text, ByteOptions>
{
    /// <summary>What there is to know about the model.</summary>
    public static ModelCard Card { get; } = new()
    {
        Id = "example/bytes", Paper = "Unicode Transformation Format 8", Authors = ["Ken Thompson", "Rob Pike"], Inputs = [Modality.Text], Outputs = [Modality.Tokens, Modality.Text],
    };

    // Tokens of another model carry another space and are refused.
    private readonly TokenSpace _space = new(source.Id.ToString(), TokenLayout.Flat, [256], "utf-8");

    /// <summary>Opens the model. One with weights reads them from <c>source.RequireFolder()</c> here.</summary>
    public static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult<IModel>(new ByteTokenizer(source));

    /// <inheritdoc/>
    public ModelFacts Facts { get; } = new();

    /// <inheritdoc/>
    public TokenSpace Space => _space;

    /// <inheritdoc/>
    public ValueTask<Tokens> TokenizeAsync(Text media, ByteOptions options, CancellationToken cancel = default)
    {
        var bytes = Encoding.UTF8.GetBytes(options.Lowercase ? media.Value.ToLowerInvariant() : media.Value);
        return ValueTask.FromResult(new Tokens(_space, Tensor.Create(Array.ConvertAll(bytes, b => (int)b), bytes.Length)) { SourceLength = media.Value.Length });
    }

    /// <inheritdoc/>
    public ValueTask<Text> DetokenizeAsync(Tokens tokens, ByteOptions options, CancellationToken cancel = default) =>
        ValueTask.FromResult(new Text(Encoding.UTF8.GetString(Array.ConvertAll(tokens.Expect(_space).Ids.Span.ToArray(), id => (byte)id))));

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
