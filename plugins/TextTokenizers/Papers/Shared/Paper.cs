using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Makes the table rows of this family.</summary>
internal static class Paper
{
    /// <summary>A row: card and a way to open it. Its calls can be made by <c>generate</c>.</summary>
    public static ModelArchitecture Row(ModelCard card, Func<ModelSource, IModel> open) => new(card, (source, cancel) =>
    {
        cancel.ThrowIfCancellationRequested();
        var model = open(source);
        return ValueTask.FromResult(model is PaperModel paper ? paper.Answers(card.Outputs.Contains(Modality.Tensors) ? Modality.Tensors : Modality.Text) : model);
    });

    /// <summary>The card of a tokenizer: text in, tokens out.</summary>
    public static ModelCard Tokenizer(string architecture, string title, string? arXiv, EquatableList<string> authors, string? repository, string? codeLicense = null) => new()
    {
        Id = $"text-tokenizers/{architecture}",
        Paper = title,
        ArXiv = arXiv,
        Authors = authors,
        Repository = repository,
        CodeLicense = codeLicense,
        Inputs = [Modality.Text],
        Outputs = [Modality.Tokens],
    };

    /// <summary>The card of an analysis: text in, figures out, as lines of JSON.</summary>
    public static ModelCard Analysis(string architecture, string title, string? arXiv, EquatableList<string> authors, string? repository, string? codeLicense = null) =>
        Tokenizer(architecture, title, arXiv, authors, repository, codeLicense) with { Outputs = [Modality.Text] };

    /// <summary>The card of a method on embedding tables: tensors in, tensors out.</summary>
    public static ModelCard Transplant(string architecture, string title, string? arXiv, EquatableList<string> authors, string? repository, string? codeLicense = null) =>
        Tokenizer(architecture, title, arXiv, authors, repository, codeLicense) with { Inputs = [Modality.Tensors], Outputs = [Modality.Tensors] };
}
