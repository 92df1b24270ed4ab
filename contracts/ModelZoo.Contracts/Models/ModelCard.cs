namespace ModelZoo.Contracts;

/// <summary>What there is to know about an architecture before any weights are opened. Immutable and serialisable.</summary>
public sealed record ModelCard
{
    /// <summary><c>family/architecture</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The paper's title.</summary>
    public required string Paper { get; init; }

    /// <summary>arXiv identifier such as <c>2210.13438</c>; null where the paper is elsewhere.</summary>
    public string? ArXiv { get; init; }

    /// <summary>The paper's authors, as printed, every one of them.</summary>
    public required EquatableList<string> Authors { get; init; }

    /// <summary>The authors' code, <c>owner/repository</c>, or the library that most people use.</summary>
    public string? Repository { get; init; }

    /// <summary>Licence of the code in <see cref="Repository"/>: its SPDX identifier or name, <c>none stated</c> where the repository states none, <c>not known</c> where nobody has looked.</summary>
    public string? CodeLicense { get; init; }

    /// <summary>Licence of the published weights.</summary>
    public string? WeightsLicense { get; init; }

    /// <summary>What goes in.</summary>
    public required EquatableList<Modality> Inputs { get; init; }

    /// <summary>What comes out.</summary>
    public required EquatableList<Modality> Outputs { get; init; }

    /// <summary>Published file layouts that are read, such as <c>transformers: config.json + model.safetensors</c>.</summary>
    public EquatableList<string> Layouts { get; init; } = [];

    /// <summary>Published sizes.</summary>
    public EquatableList<PublishedSize> Sizes { get; init; } = [];

    /// <summary>What this implementation does otherwise than the paper or the authors' code; empty when nothing.</summary>
    public string Deviations { get; init; } = "";

    /// <summary>Parts that papers share are hidden from lists unless asked for.</summary>
    public bool Hidden { get; init; }
}

/// <summary>A published size of an architecture.</summary>
/// <param name="Name">Its published name, such as <c>facebook/encodec_24khz</c>.</param>
/// <param name="Parameters">Numbers in the tensors that the network reads, codebooks included.</param>
/// <param name="References">Published figures for it.</param>
public sealed record PublishedSize(string Name, long Parameters, EquatableList<ReferenceValue> References);

/// <summary>A published figure, and how near a re-measurement must come.</summary>
/// <param name="Metric">Name of the metric.</param>
/// <param name="Value">The figure.</param>
/// <param name="Tolerance">Largest difference that counts as reproduced.</param>
/// <param name="Data">What it was measured on.</param>
public sealed record ReferenceValue(string Metric, double Value, double Tolerance, string Data);
