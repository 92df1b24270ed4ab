using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Quantizers;

namespace ModelZoo.Plugins.Components.Parts;

/// <summary>The quantizers of lucidrains/vector-quantize-pytorch as models of their own.</summary>
internal static class Quantizers
{
    // Arguments of `forward` that change nothing once training is over, or whose result is always there.
    private static readonly string[] TrainingOptions = ["return_all_codes", "freeze_codebook", "sample_codebook_temp", "inv_temperature", "return_loss_breakdown", "rand_quantize_dropout_fixed_seed"];

    private const string Reference = "github.com/lucidrains/vector-quantize-pytorch";

    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        Part<VectorQuantizerConfig>("vector-quantize", "Neural Discrete Representation Learning", VectorQuantizer.Quantize, VectorQuantizer.Decode, config => config.ReturnZerosForMaskedPadding ? Padding.Zeros : Padding.Kept),
        Part<ResidualVectorQuantizerConfig>("residual-vq", "SoundStream: An End-to-End Neural Audio Codec", ResidualVectorQuantizer.Quantize, ResidualVectorQuantizer.Decode, _ => Padding.Nothing),
        Part<FiniteScalarConfig>("fsq", "Finite Scalar Quantization: VQ-VAE Made Simple", FiniteScalarQuantizer.Quantize, FiniteScalarQuantizer.Decode),
        Part<ResidualFiniteScalarConfig>("residual-fsq", "Finite Scalar Quantization: VQ-VAE Made Simple", ResidualFiniteScalarQuantizer.Quantize, ResidualFiniteScalarQuantizer.Decode),
        Part<LookupFreeConfig>("lfq", "Language Model Beats Diffusion: Tokenizer is Key to Visual Generation", LookupFreeQuantizer.Quantize, (scope, ids, config) => LookupFreeQuantizer.Decode(scope, ids, config)),
        Part<LookupFreeConfig>("bsq", "Image and Video Tokenization with Binary Spherical Quantization", LookupFreeQuantizer.Quantize, (scope, ids, config) => LookupFreeQuantizer.Decode(scope, ids, config)),
        Part<SimVectorQuantizerConfig>("sim-vq", "Addressing Representation Collapse in Vector Quantized Models with One Linear Layer", SimVectorQuantizer.Quantize, SimVectorQuantizer.Decode),
        Part<RandomProjectionConfig>("random-projection-quantizer", "Self-supervised Learning with Random-projection Quantizer for Speech Recognition",
            (scope, x, config) => new(x, RandomProjectionQuantizer.Quantize(scope, x, config), x), null),
    ];

    private static ModelArchitecture Part<TConfig>(string name, string paper, Func<Scope, Value, TConfig, Quantization> quantize, Func<Scope, Value, TConfig, Value>? decode,
        Func<TConfig, Padding>? padding = null) =>
        NetworkPart.Architecture($"components/{name}", paper, Reference, Modality.Tensors, (source, checkpoint) =>
        {
            // config.json: the class, and what its constructor was given.
            var json = PublishedConfig.ReadJson(source.RequireFolder());
            var config = PublishedConfig.Bind<TConfig>(json["kwargs"] as JsonObject ?? json, source.RequireFolder()).Value;
            var context = NetworkContext.Of(source, checkpoint);
            var forward = new NetworkCache<Layout>(layout => Network.Build(context, name, scope =>
            {
                var result = quantize(scope, scope.Graph.Input("x", layout.Symbols()), config);
                scope.Graph.Output("projected", result.Projected);
                scope.Graph.Output("codes", result.Codes);
                scope.Graph.Output("quantized", result.Quantized);
                if (result.AllCodes is not null) scope.Graph.Output("all_codes", result.AllCodes);
            }));
            var reverse = decode is null ? null : new NetworkCache<Layout>(layout => Network.Build(context, name, scope =>
                scope.Graph.Output("decoded", decode(scope, scope.Graph.Input("indices", ElementType.Int64, layout.Symbols()), config))));
            var calls = new Dictionary<string, PartCall>
            {
                ["forward"] = async (arguments, cancel) =>
                {
                    foreach (var option in TrainingOptions) arguments.Has(option);
                    var results = await RunAsync(forward, arguments, "x", cancel).ConfigureAwait(false);
                    var masked = arguments.Has("mask") | arguments.Has("lens");
                    if (!masked || padding is null) return results;
                    if (results.Tensor("codes").Rank > arguments.Tensor("x").Rank) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Groups take no mask.") { Where = "mask" };
                    switch (padding(config))
                    {
                        case Padding.Kept: Mask(arguments, results, arguments.Tensor<float>("x").Span); break;
                        case Padding.Zeros: Mask(arguments, results, [0]); break;
                        case Padding.Nothing:
                            var nothing = Tensor.Create([.. Enumerable.Repeat(-1L, (int)results.Tensor("codes").Shape[^1])], 1, 1, results.Tensor("codes").Shape[^1]);
                            Mask(arguments, results, (await reverse![Layout.Of(nothing)].RunAsync(cancel, ("indices", nothing)).ConfigureAwait(false))["decoded"].Span);
                            break;
                    }

                    return results;
                },
            };
            if (reverse is null) return new NetworkPart(checkpoint, calls, forward);
            calls["indices_to_codes"] = calls["get_output_from_indices"] = (arguments, cancel) => RunAsync(reverse, arguments, "indices", cancel);
            return new NetworkPart(checkpoint, calls, forward, reverse);
        });

    private static async Task<CallResults> RunAsync(NetworkCache<Layout> networks, CallArguments arguments, string input, CancellationToken cancel)
    {
        var tensor = arguments.Tensor(input);
        return (await networks[Layout.Of(tensor)].RunAsync(cancel, (input, tensor)).ConfigureAwait(false)).ToResults();
    }

    // Padding takes the id -1, and its values from those given, which are repeated. mask (B, N), x (B, N, D); or the lengths of the sequences.
    private static void Mask(CallArguments arguments, CallResults results, ReadOnlySpan<float> values)
    {
        var codes = results.Tensor("codes").As<long>();
        var quantized = results.Tensor("quantized").As<float>();
        var (length, perCode, width) = ((int)codes.Shape[1], codes.Length / (int)(codes.Shape[0] * codes.Shape[1]), (int)quantized.Shape[^1]);
        for (var place = 0; place < codes.Length / perCode; place++)
        {
            if (arguments.Has("mask") ? IsSet(arguments.Tensor("mask"), place) : place % length < arguments.Tensor<long>("lens").Span[place / length]) continue;
            codes.Span.Slice(place * perCode, perCode).Fill(-1);
            for (var i = place * width; i < (place + 1) * width; i++) quantized.Span[i] = values[i % values.Length];
        }
    }

    /// <summary>What places that are masked out become.</summary>
    private enum Padding
    {
        /// <summary>Zeros.</summary>
        Zeros,
        /// <summary>What they were.</summary>
        Kept,
        /// <summary>What stands for no code at all.</summary>
        Nothing,
    }

    private static bool IsSet(Tensor mask, int place) => mask is Tensor<bool> flags ? flags.Span[place] : mask.As<long>().Span[place] != 0;

    /// <summary>What a network must know of its input: rank, and the extents of channels wherever they may stand.</summary>
    private readonly record struct Layout(int Rank, long Second, long Last)
    {
        public static Layout Of(Tensor tensor) => new(tensor.Rank, tensor.Shape[Math.Min(1, tensor.Rank - 1)], tensor.Shape[^1]);

        public Shape Symbols()
        {
            var dims = Enumerable.Range(0, Rank).Select(i => Dim.Symbol($"d{i}")).ToArray();
            (dims[Math.Min(1, Rank - 1)], dims[^1]) = (Second, Last);
            return new(dims);
        }
    }
}
