using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>A call of the authors' interface that is more than one network.</summary>
internal delegate ValueTask<CallResults> ReferenceCall(NetworkSet networks, CallArguments arguments, CancellationToken cancel);

/// <summary>Picture (1, 3, H, W), as the network takes it, to codes (1, ..), int64, or latents (1, ..), float32.</summary>
internal delegate ValueTask<Tensor> EncodePicture(NetworkSet networks, Tensor<float> picture, ImageTokenizerOptions options, CancellationToken cancel);

/// <summary>Codes or latents to a picture (1, 3, H, W), as the network gives it.</summary>
internal delegate ValueTask<Tensor<float>> DecodePicture(NetworkSet networks, Tensor codes, ImageTokenizerOptions options, CancellationToken cancel);

/// <summary>What a paper says about itself: its networks and how the verbs use them. <see cref="ImageTokenizer"/> does the rest.</summary>
internal sealed record TokenizerPlan
{
    /// <summary>The networks, by the names of the authors' calls; their inputs and outputs carry the authors' names.</summary>
    public IReadOnlyDictionary<string, Action<Scope>> Networks { get; init; } = new Dictionary<string, Action<Scope>>();

    /// <summary>Networks that depend on the size of their grid, by name; they run in <see cref="Calls"/> and verbs.</summary>
    public IReadOnlyDictionary<string, SizedNetwork> SizedNetworks { get; init; } = new Dictionary<string, SizedNetwork>();

    /// <summary>Networks whose weights the user puts beside the checkpoint.</summary>
    public IReadOnlyList<Companion> Companions { get; init; } = [];

    /// <summary>What reads captions; null where the method takes none.</summary>
    public CaptionReader? Captions { get; init; }

    /// <summary>Calls that are more than one network.</summary>
    public IReadOnlyDictionary<string, ReferenceCall> Calls { get; init; } = new Dictionary<string, ReferenceCall>();

    /// <summary>What happens to pictures before.</summary>
    public required ImagePreparation Preparation { get; init; }

    /// <summary>Picture to codes or latents.</summary>
    public required EncodePicture Encode { get; init; }

    /// <summary>Codes or latents to picture; null where the paper leaves that to a model that is not here, and <see cref="Unpainted"/> says to which.</summary>
    public DecodePicture? Decode { get; init; }

    /// <summary>What would paint the tokens, and what can be done with them, as a sentence each; null where <see cref="Decode"/> paints them.</summary>
    public (string Why, string Remedy)? Unpainted { get; init; }

    /// <summary>How codes are arranged.</summary>
    public TokenLayout Layout { get; init; } = TokenLayout.Grid;

    /// <summary>Number of ids of each codebook; empty for latents.</summary>
    public EquatableList<int> VocabularySizes { get; init; } = [];

    /// <summary>Published names of the weights that give codes their meaning; with none, the vocabulary is that of the method.</summary>
    public IReadOnlyList<string> Codebooks { get; init; } = [];

    /// <summary>Most tokens a picture, where a prefix of them decodes; null where all are needed.</summary>
    public int? PrefixTokens { get; init; }

    /// <summary>Names in the checkpoint that only training needs, as regular expressions.</summary>
    public IReadOnlyList<string> TrainingOnly { get; init; } = [];

    /// <summary>One network takes the picture and gives the codes.</summary>
    public static EncodePicture EncodeWith(string network, string picture, string codes) => async (networks, image, _, cancel) =>
        (Tensor)(await networks.RunAsync(network, cancel, (picture, image)).ConfigureAwait(false)).ToResults().Tensor(codes);

    /// <summary>One network takes the codes and gives the picture.</summary>
    public static DecodePicture DecodeWith(string network, string codes, string picture) => async (networks, ids, _, cancel) =>
        (await networks.RunAsync(network, cancel, (codes, ids)).ConfigureAwait(false))[picture];
}
