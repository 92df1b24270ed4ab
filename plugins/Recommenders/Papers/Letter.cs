// Learnable Item Tokenization for Generative Recommendation (LETTER), the tokenizer. Wang, Bao, Lin, Zhang, Li, Feng, Ng, Chua. arXiv:2405.07314. github.com/HonghuiBao2000/LETTER (RQ-VAE)
// RQ-VAE over item embeddings: Rajput et al., TIGER, arXiv:2305.05065, section 3.1.
// Published layout: epoch_N_collision_X_model.pth ({args, state_dict, ...}); config.json with the same values where one is beside it. Deviations: none; the constrained clustering is part of training only.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>The arguments of the training run, as the checkpoint carries them.</summary>
public sealed record LetterConfig
{
    /// <summary>Width of the items' embeddings; null is that of the weights, since the run does not keep it.</summary>
    [Range(1, 1 << 20)] public int? InDim { get; init; }
    [Length(1, 64)] public int[] NumEmbList { get; init; } = [256, 256, 256, 256];
    [Range(1, 1 << 16)] public int EDim { get; init; } = 32;
    public int[] Layers { get; init; } = [2048, 1024, 512, 256, 128, 64];
    public bool Bn { get; init; }
    [Length(1, 64)] public double[] SkEpsilons { get; init; } = [0, 0, 0, 0.003];
    [Range(1, 10000)] public int SkIters { get; init; } = 50;

    /// <summary>Levels of the quantizer: as published, a level is one that has both a size and an epsilon.</summary>
    internal int Levels => Math.Min(NumEmbList.Length, SkEpsilons.Length);
}

/// <summary>Two multilayer perceptrons around a residual quantizer. Scopes are the authors'.</summary>
internal static class LetterNetwork
{
    /// <summary>x (items, in) -> (items, e).</summary>
    public static Value Encode(Scope model, Value x, LetterConfig config) => Mlp(model["encoder.mlp_layers"], x, [.. config.Layers, config.EDim], config);

    /// <summary>z (items, e) -> (items, in).</summary>
    public static Value Decode(Scope model, Value z, int width, LetterConfig config) => Mlp(model["decoder.mlp_layers"], z, [.. config.Layers.Reverse(), width], config);

    private static Value Mlp(Scope layers, Value x, int[] widths, LetterConfig config) => ItemMlp.Build(layers, x, widths, config.Bn ? ItemMlp.BatchNorm : null);
}

/// <summary>Item embeddings to semantic tokens, with collisions resolved.</summary>
public sealed class LetterModel : IModel, ITokenize<NamedTensors, NoOptions>, IReferenceCalls
{
    private const double CollisionEpsilon = 0.003;
    private const int CollisionRounds = 20;
    private readonly LetterConfig _config;
    private readonly int _width;
    private readonly Checkpoint _checkpoint;
    private readonly Network _encoder, _decoder;
    private readonly RqCodebooks _codebooks;
    private readonly TokenSpace _space;

    private LetterModel(string id, LetterConfig config, Checkpoint checkpoint, NetworkContext context)
    {
        (_config, _checkpoint) = (config, checkpoint);
        _width = config.InDim ?? (int)checkpoint.Get("encoder.mlp_layers.1.weight").Shape[1];
        var items = Dim.Symbol("items");
        _encoder = Network.Build(context, "letter encoder", scope => scope.Graph.Output("latent", LetterNetwork.Encode(scope, scope.Graph.Input("x", [items, _width]), config)));
        _decoder = Network.Build(context, "letter decoder", scope => scope.Graph.Output("reconstruction", LetterNetwork.Decode(scope, scope.Graph.Input("z", [items, config.EDim]), _width, config)));
        _codebooks = RqCodebooks.Of(checkpoint, "rq", config.NumEmbList.Take(config.Levels), config.EDim);
        _space = new(id, TokenLayout.Grid, [.. config.NumEmbList.Take(config.Levels)], checkpoint.Digest);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "recommenders/letter",
            Paper = "Learnable Item Tokenization for Generative Recommendation",
            ArXiv = "2405.07314",
            Authors = ["Wenjie Wang", "Honghui Bao", "Xinyu Lin", "Jizhi Zhang", "Yongqi Li", "Fuli Feng", "See-Kiong Ng", "Tat-Seng Chua"],
            Repository = "HonghuiBao2000/LETTER",
            CodeLicense = "none stated",
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Tokens, Modality.Tensors],
            Layouts = ["authors: epoch_N_collision_X_model.pth (args, state_dict)"],
            Sizes = [new("HonghuiBao2000/LETTER: RQ-VAE", 8_745_632, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => ItemFacts.Of(_checkpoint, [_encoder, _decoder], new("embedding", $"{_width} numbers"), new("codebooks", string.Join(" x ", _config.NumEmbList.Take(_config.Levels))));

    /// <inheritdoc/>
    public async ValueTask<Tokens> TokenizeAsync(NamedTensors media, NoOptions options, CancellationToken cancel = default)
    {
        return ItemTokens.Of(_space, await GenerateIndicesAsync(ItemTokens.Embeddings(media, _width), cancel).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public async ValueTask<NamedTensors> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default)
    {
        var quantized = _codebooks.Lookup(ItemTokens.Codes(_space, tokens));
        return ItemTokens.Media((await _decoder.RunAsync(cancel, ("z", quantized)).ConfigureAwait(false))["reconstruction"]);
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                var latent = await EncodeAsync(arguments.Tensor<float>("item_embeddings"), cancel).ConfigureAwait(false);
                var epsilons = new double[_config.Levels];
                if (arguments.Literal("use_sinkhorn", false))
                {
                    // A given epsilon stands in for each level that uses Sinkhorn at all.
                    for (var i = 0; i < epsilons.Length; i++) epsilons[i] = _config.SkEpsilons[i] > 0 ? arguments.Literal("sinkhorn_epsilon", _config.SkEpsilons[i]) : 0;
                }

                var (codes, quantized) = _codebooks.Quantize(latent, epsilons, arguments.Literal("sinkhorn_iterations", _config.SkIters));
                return new CallResults().Add("latent", latent).Add("codes", codes).Add("quantized", quantized);
            case "decode":
                return (await _decoder.RunAsync(cancel, ("z", arguments.Tensor("quantized"))).ConfigureAwait(false)).ToResults();
            case "generate_indices":
                return new CallResults().Add("item_codes", await GenerateIndicesAsync(arguments.Tensor<float>("item_embeddings"), cancel).ConfigureAwait(false));
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"LETTER has no call '{call}'.") { Expected = "encode, decode, generate_indices" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _encoder.Dispose();
        _decoder.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var checkpoint = source.Parts.Count > 0 ? source.OpenCheckpoint() : Checkpoint.Open(folder, "state_dict");
        var config = File.Exists(Path.Combine(folder, "config.json"))
            ? PublishedConfig.Read<LetterConfig>(folder).Value
            : PublishedConfig.Bind<LetterConfig>(Checkpoint.Open(checkpoint.Files[0], "args").Values, checkpoint.Files[0]).Value;
        return ValueTask.FromResult<IModel>(new LetterModel(source.Id.ToString(), config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private async Task<Tensor<float>> EncodeAsync(Tensor<float> embeddings, CancellationToken cancel) => (await _encoder.RunAsync(cancel, ("x", embeddings)).ConfigureAwait(false))["latent"];

    // Nearest rows for all items; then each group of items with equal codes is encoded anew by itself, with Sinkhorn's even spread in the last level, until none are equal (section 3.2; generate_indices.py).
    private async Task<Tensor<long>> GenerateIndicesAsync(Tensor<float> embeddings, CancellationToken cancel)
    {
        var (levels, latent) = (_config.Levels, await EncodeAsync(embeddings, cancel).ConfigureAwait(false));
        var (codes, _) = _codebooks.Quantize(latent, new double[levels], _config.SkIters);
        var epsilons = new double[levels];
        epsilons[^1] = _config.SkEpsilons[levels - 1] > 0 ? _config.SkEpsilons[levels - 1] : CollisionEpsilon;
        for (var round = 0; round < CollisionRounds; round++)
        {
            var groups = Enumerable.Range(0, (int)codes.Shape[0]).GroupBy(item => string.Join('-', codes.Slice(item).Span.ToArray())).Where(group => group.Count() > 1).Select(group => group.ToArray()).ToArray();
            if (groups.Length == 0) break;
            foreach (var group in groups)
            {
                cancel.ThrowIfCancellationRequested();
                var part = Tensor.Zeros<float>(group.Length, _config.EDim);
                for (var i = 0; i < group.Length; i++) latent.Slice(group[i]).Span.CopyTo(part.Slice(i).Span);
                var (spread, _) = _codebooks.Quantize(part, epsilons, _config.SkIters);
                for (var i = 0; i < group.Length; i++) spread.Slice(i).Span.CopyTo(codes.Slice(group[i]).Span);
            }
        }

        return codes;
    }
}
