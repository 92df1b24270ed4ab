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
        Part<VectorQuantizerConfig>("vector-quantize", "VectorQuantize", "Neural Discrete Representation Learning", VectorQuantizer.Quantize, VectorQuantizer.Decode,
            config => config.AffineParam ? throw NoMask() : config.ReturnZerosForMaskedPadding ? Padding.Zeros : Padding.Kept),
        Part<ResidualVectorQuantizerConfig>("residual-vq", "ResidualVQ", "SoundStream: An End-to-End Neural Audio Codec", ResidualVectorQuantizer.Quantize, ResidualVectorQuantizer.Decode,
            config => config.AffineParam ? throw NoMask() : config.ReturnZerosForMaskedPadding ? Padding.Nothing : Padding.Kept),
        Part<FiniteScalarConfig>("fsq", "FSQ", "Finite Scalar Quantization: VQ-VAE Made Simple", FiniteScalarQuantizer.Quantize, FiniteScalarQuantizer.Decode),
        Part<ResidualFiniteScalarConfig>("residual-fsq", "ResidualFSQ", "Finite Scalar Quantization: VQ-VAE Made Simple", ResidualFiniteScalarQuantizer.Quantize, ResidualFiniteScalarQuantizer.Decode),
        Part<LookupFreeConfig>("lfq", "LFQ", "Language Model Beats Diffusion: Tokenizer is Key to Visual Generation", LookupFreeQuantizer.Quantize, (scope, ids, config) => LookupFreeQuantizer.Decode(scope, ids, config)),
        Part<LookupFreeConfig>("bsq", "LFQ", "Image and Video Tokenization with Binary Spherical Quantization", LookupFreeQuantizer.Quantize, (scope, ids, config) => LookupFreeQuantizer.Decode(scope, ids, config)),
        Part<SimVectorQuantizerConfig>("sim-vq", "SimVQ", "Addressing Representation Collapse in Vector Quantized Models with One Linear Layer", SimVectorQuantizer.Quantize, SimVectorQuantizer.Decode),
        Part<RandomProjectionConfig>("random-projection-quantizer", "RandomProjectionQuantizer", "Self-supervised Learning with Random-projection Quantizer for Speech Recognition",
            (scope, x, config) => new(x, RandomProjectionQuantizer.Quantize(scope, x, config), x), null),
    ];

    private static ModelArchitecture Part<TConfig>(string name, string @class, string paper, Func<Scope, Value, TConfig, Quantization> quantize, Func<Scope, Value, TConfig, Value>? decode,
        Func<TConfig, Padding>? padding = null) =>
        NetworkPart.Architecture($"components/{name}", paper, Reference, Modality.Tensors, (source, checkpoint) =>
        {
            // config.json: the class, and what its constructor was given.
            var json = PublishedConfig.ReadJson(source.RequireFolder());
            var arguments = json["kwargs"] as JsonObject ?? json;
            var given = json["class"]?.GetValue<string>() ?? @class;
            if (@class.StartsWith("Residual", StringComparison.Ordinal) && given == $"Grouped{@class}") arguments.TryAdd("groups", 1);
            else if (given != @class) throw new ModelZooException(ErrorCodes.ConfigInvalid, "The checkpoint is of another quantizer.") { Where = "class", Expected = @class, Found = given };
            var config = PublishedConfig.Bind<TConfig>(arguments, source.RequireFolder()).Value;
            var context = NetworkContext.Of(source, checkpoint);
            var forward = new NetworkCache<Layout>(layout => Network.Build(context, name, scope =>
            {
                var result = quantize(scope, scope.Graph.Input("x", layout.Symbols()), config);
                scope.Graph.Output("projected", result.Projected);
                scope.Graph.Output("codes", result.Codes);
                scope.Graph.Output("quantized", result.Quantized);
                if (result.AllCodes is not null) scope.Graph.Output("all_codes", result.AllCodes);
                if (result.Unquantized is not null) scope.Graph.Output("unquantized", result.Unquantized);
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
                    switch (padding(config))
                    {
                        case Padding.Kept: Mask(arguments, results, (results.Find("unquantized") as Tensor ?? arguments.Tensor("x")).As<float>().Span); break;
                        case Padding.Zeros: Mask(arguments, results, [0]); break;
                        case Padding.Nothing:
                            // (1, 1, levels), or (groups, 1, 1, levels).
                            var codes = results.Tensor("codes");
                            long[] shape = codes.Rank > 3 ? [codes.Shape[0], 1, 1, codes.Shape[^1]] : [1, 1, codes.Shape[^1]];
                            var nothing = Tensor.Create([.. Enumerable.Repeat(-1L, (int)shape.Aggregate(1L, (a, b) => a * b))], shape);
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

    private static ModelZooException NoMask() => new(ErrorCodes.VerbUnsupported, "Codes that follow the batch take no mask.") { Where = "mask" };

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
        var (length, width) = ((int)quantized.Shape[1], (int)quantized.Shape[^1]);
        var places = quantized.Length / width;
        for (var place = 0; place < places; place++)
        {
            if (arguments.Has("mask") ? IsSet(arguments.Tensor("mask"), place) : place % length < arguments.Tensor<long>("lens").Span[place / length]) continue;
            Fill(codes, codes.Rank > quantized.Rank ? (int)codes.Shape[0] : 1, place, -1);
            if (results.Find("all_codes") is Tensor levels) Fill(levels.As<float>(), levels.Length / (places * (int)levels.Shape[^1]), place, 0);
            for (var i = place * width; i < (place + 1) * width; i++) quantized.Span[i] = values[i % values.Length];
        }

        // A place in each of several parts.
        void Fill<T>(Tensor<T> tensor, int parts, int place, T value) where T : unmanaged
        {
            var each = tensor.Length / (parts * places);
            for (var part = 0; part < parts; part++) tensor.Span.Slice((part * places + place) * each, each).Fill(value);
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
