using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The published <c>config.json</c> of <c>huginn_raven</c>.</summary>
public sealed record HuginnConfig
{
    /// <summary>Name of the rotary angles beside the weights.</summary>
    internal const string Angles = "freqs_cis";

    /// <summary>Width.</summary>
    [Range(1, 65536)] public int NEmbd { get; init; } = 5280;
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public int NHeads { get; init; } = 55;
    /// <summary>The same under transformers' name, where <c>n_heads</c> is not given.</summary>
    [Range(1, 1024)] public int? NumAttentionHeads { get; init; }
    /// <summary>Longest sequence.</summary>
    [Range(1, 1 << 24)] public int BlockSize { get; init; } = 4096;
    /// <summary>Number of ids.</summary>
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 65536;
    /// <summary>Whether the output map is the embedding table.</summary>
    public bool TieEmbeddings { get; init; } = true;
    /// <summary>Width of the feed-forward network.</summary>
    [Range(1, 1 << 20)] public int IntermediateSize { get; init; } = 17920;
    /// <summary>Whether the adapter has a bias.</summary>
    public bool Bias { get; init; }
    /// <summary>Epsilon of the norms.</summary>
    [Range(0.0, 1)] public double NormEps { get; init; } = 1e-6;
    /// <summary>How a state and the embedded text come together; only a linear map is published.</summary>
    [AllowedValues("linear")] public string InjectionType { get; init; } = "linear";
    /// <summary>Layers of the recurrent block.</summary>
    [Range(1, 1024)] public int NLayersInRecurrentBlock { get; init; } = 4;
    /// <summary>Layers before it.</summary>
    [Range(0, 1024)] public int NLayersInPrelude { get; init; } = 2;
    /// <summary>Layers after it.</summary>
    [Range(0, 1024)] public int NLayersInCoda { get; init; } = 2;
    /// <summary>Recurrences that it was trained with on average.</summary>
    [Range(1, 1 << 16)] public int MeanRecurrence { get; init; } = 32;
    /// <summary>Whether queries and keys have biases.</summary>
    public bool QkBias { get; init; } = true;
    /// <summary>Base of the rotary frequencies.</summary>
    [Range(1.0, 1e15)] public double RopeBase { get; init; } = 50_000;
    /// <summary>Id that begins a text.</summary>
    public int? BosTokenId { get; init; }
    /// <summary>Id that ends one.</summary>
    [JsonConverter(typeof(OneOrMany))] public int[] EosTokenId { get; init; } = [];

    /// <summary>Ids that end what is generated: the authors' three marks (text begins, text ends, turn ends), which are fixed in their code, and those of the configuration.</summary>
    internal IReadOnlySet<int> EndTokens => new HashSet<int>([65504, 65505, 65508, .. EosTokenId]);

    internal int Heads => NumAttentionHeads ?? NHeads;

    internal int HeadWidth => NEmbd / Heads;

    /// <summary>Factor on embeddings and on states at the beginning.</summary>
    internal float EmbedScale => MathF.Sqrt(NEmbd);

    /// <summary>Deviation of a state at the beginning, before <see cref="EmbedScale"/>.</summary>
    internal double StateDeviation => Math.Sqrt(2.0 / (5.0 * NEmbd));

    /// <summary>This, where its numbers go together.</summary>
    /// <exception cref="CheckpointException">They do not.</exception>
    internal HuginnConfig Checked(string folder) => BosTokenId < 0 || BosTokenId >= VocabSize
        ? throw new CheckpointException(ErrorCodes.ConfigInvalid, "The model has no such id.") { Where = Path.Combine(folder, "config.json: bos_token_id"), Expected = $"0..{VocabSize - 1}", Found = $"{BosTokenId}" }
        : NEmbd % (2 * Heads) == 0 ? this
        : throw new CheckpointException(ErrorCodes.ConfigInvalid, "The width is not an even number for each head.") { Where = Path.Combine(folder, "config.json"), Expected = $"n_embd divisible by {2 * Heads}", Found = $"{NEmbd}" };
}
