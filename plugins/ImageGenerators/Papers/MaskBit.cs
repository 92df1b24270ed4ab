// MaskBit: Embedding-free Image Generation via Bit Tokens. Weber, Yu, Yu, Deng, Shen, Cremers, Chen. arXiv:2409.16211. github.com/markweberdev/maskbit
// Published layouts: config.yaml + generator.bin + tokenizer.bin (maskbit_generator_*.bin, maskbit_tokenizer_*.bin). Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Section <c>model.mlm_model</c> of the published file.</summary>
public sealed record MaskBitGeneratorConfig
{
    /// <summary><c>lfq_bert</c>: tokens enter as bits; <c>bert</c>: as embeddings.</summary>
    [AllowedValues("lfq_bert", "bert")] public string ModelCls { get; init; } = "lfq_bert";
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int HiddenDim { get; init; } = 1024;
    /// <summary>Blocks.</summary>
    [Range(1, 1024)] public int Depth { get; init; } = 24;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int Heads { get; init; } = 16;
    /// <summary>Width inside the feed-forward network.</summary>
    [Range(1, 262144)] public int MlpDim { get; init; } = 4096;
    /// <summary>Number of classes.</summary>
    [Range(1, 1 << 24)] public int Nclass { get; init; } = 1000;
    /// <summary>Tokens a picture: those of 256 pixels at a stride of 16 in the authors' code.</summary>
    [Range(1, 65536)] public int SeqLen { get; init; } = 256;
    /// <summary>Parts of a token that are predicted side by side.</summary>
    [Range(1, 64)] public int CodebookSplits { get; init; } = 2;
    /// <summary>Whether norms come before the branches.</summary>
    public bool UsePrenorm { get; init; }
    /// <summary>Published scale of guidance.</summary>
    public double GuidanceScale { get; init; } = 3;
    /// <summary>Published course of guidance.</summary>
    public GuidanceAnnealing GuidanceAnnealing { get; init; }
    /// <summary>Published number of steps.</summary>
    [Range(1, 1000)] public int NumSteps { get; init; } = 12;
    /// <summary>Published schedule of masks.</summary>
    public string GenMaskScheduleStrategy { get; init; } = "arccos";
    /// <summary>Published temperature.</summary>
    public double SoftmaxTemperature { get; init; } = 1;
    /// <summary>Published weight of the noise.</summary>
    public double RandomizeTemperature { get; init; } = 4.5;
    /// <summary>Published power of the course of guidance.</summary>
    public double ScalePow { get; init; } = 4;
    /// <summary>Whether the softmax cools down, as published.</summary>
    public bool UseSamplingAnnealing { get; init; }
}

/// <summary>Options of MaskBit's generator; what is left out is as published.</summary>
public sealed record MaskBitOptions : PictureOptions
{
    /// <summary>Number of steps.</summary>
    [Description("Steps; as published when left out."), Range(1, 1000)] public int? Steps { get; init; }
    /// <summary>Scale of guidance.</summary>
    [Description("Scale of classifier-free guidance, 0 for none; as published when left out."), Range(0.0, 100.0)] public double? Guidance { get; init; }
    /// <summary>Course of guidance.</summary>
    [Description("How guidance grows over the steps; as published when left out.")] public GuidanceAnnealing? GuidanceAnnealing { get; init; }
    /// <summary>Power of the course.</summary>
    [Description("Power of the cosine; as published when left out."), Range(0.0, 100.0)] public double? ScalePow { get; init; }
    /// <summary>Schedule of masks.</summary>
    [Description("How many tokens stay masked; as published when left out."), AllowedValues("root", "square", "cosine", "arccos", "linear", null)] public string? MaskSchedule { get; init; }
    /// <summary>Temperature.</summary>
    [Description("Temperature of the softmax; as published when left out."), Range(0.01, 100.0)] public double? SoftmaxTemperature { get; init; }
    /// <summary>Weight of the noise.</summary>
    [Description("Weight of the noise at the start; as published when left out."), Range(0.0, 1000.0)] public double? RandomizeTemperature { get; init; }
    /// <summary>Whether the softmax cools down.</summary>
    [Description("Whether the softmax cools down from 1.3 to 0.5; as published when left out.")] public bool? UseSamplingAnnealing { get; init; }
}

/// <summary>MaskBit's BERT: tokens are bits, the class comes last.</summary>
internal static class MaskBitNetwork
{
    private const double Epsilon = 1e-12;

    /// <summary>img_tokens (B, N, S) of sub-codes, the mask after them, class (B) -> logits (B, N, S, sub-codes).</summary>
    public static void Logits(Scope model, MaskBitGeneratorConfig config, int bits)
    {
        var (g, batch, width, entries) = (model.Graph, Dim.Symbol("batch"), (long)config.HiddenDim, 1L << (bits / config.CodebookSplits));
        var tokens = g.Input("img_tokens", ElementType.Int64, [batch, config.SeqLen, config.CodebookSplits]);
        var label = model["class_emb"].Embedding(g.Input("class_labels", ElementType.Int64, [batch]), config.Nclass + 1, width).Unsqueeze(1);
        var x = config.ModelCls == "lfq_bert" ? Bits(model, tokens, config, bits / config.CodebookSplits) : Embeddings(model, tokens, config, entries);
        x = ValueShape.Concat(1, x, label) + model.Weight("pos_emb", 1, config.SeqLen + 1, width);
        x = model["first_layer.0"].LayerNorm(x, Epsilon);
        for (var i = 0; i < config.Depth; i++) x = model.Stage($"block_{i}", Block(model["transformer.layers"][i], x, config));
        if (config.UsePrenorm) x = model["norm_after_transformer"].LayerNorm(x, Epsilon);
        x = model.Stage("last_layer", model["last_layer.2"].LayerNorm(model["last_layer.0"].Linear(x, width).Gelu(), Epsilon));
        g.Output("logits", config.ModelCls == "lfq_bert"
            ? model["prediction_layer"].Linear(x, config.CodebookSplits * entries).Take(1, config.SeqLen).Reshape(batch, config.SeqLen, config.CodebookSplits, entries)
            : Likeness(model, x.Take(1, config.SeqLen), config, entries));
    }

    // Masked tokens are zeros in all bits.
    private static Value Bits(Scope model, Value tokens, MaskBitGeneratorConfig config, int bits)
    {
        var masked = tokens.Same(tokens.Graph.Constant([1L << bits])).Unsqueeze(-1);
        var signs = masked.Where(tokens.Graph.Scalar(ElementType.Float32, 0), LookupFree.SignsOf(tokens, bits)).Flatten(2);
        return model.Stage("input_proj", model["input_proj"].Linear(signs, config.HiddenDim));
    }

    private static Value Embeddings(Scope model, Value tokens, MaskBitGeneratorConfig config, long entries) =>
        Enumerable.Range(0, config.CodebookSplits).Select(split => model["tok_emb_list"][split].Embedding(tokens.At(2, split), entries + 1, config.HiddenDim)).Aggregate((a, b) => a + b);

    private static Value Likeness(Scope model, Value x, MaskBitGeneratorConfig config, long entries) => ValueShape.Stack(2,
    [
        .. Enumerable.Range(0, config.CodebookSplits).Select(split =>
            x.MatMul(model["tok_emb_list"][split].Weight("weight", entries + 1, config.HiddenDim).Take(0, entries).Swap(0, 1)) + model["bias"].Weight(split.ToString(), config.SeqLen, entries)),
    ]);

    private static Value Block(Scope block, Value x, MaskBitGeneratorConfig config)
    {
        var (attention, feedForward) = (block["0"], block["1"]);
        Value Attend(Value y) => attention["mha"].MultiheadSelfAttention(y, config.Heads);
        Value Map(Value y) => feedForward["net"].Mlp(y, config.MlpDim, hidden => hidden.Gelu(), "0", "2");
        if (config.UsePrenorm)
        {
            x += Attend(attention["norm"].LayerNorm(x, Epsilon));
            return x + Map(feedForward["norm"].LayerNorm(x, Epsilon));
        }

        x = attention["norm"].LayerNorm(Attend(x) + x, Epsilon);
        return feedForward["norm"].LayerNorm(Map(x) + x, Epsilon);
    }
}

/// <summary>MaskBit's generator: a class to bits, and with its tokenizer to a picture.</summary>
public sealed class MaskBitModel : ImageGenerator<MaskBitOptions>
{
    private readonly MaskBitGeneratorConfig _config;
    private readonly int _bits;
    private readonly Network _network;
    private readonly Pictures? _pictures;

    private MaskBitModel(ModelSource source, Checkpoint checkpoint, MaskBitGeneratorConfig config, MaskBitConfig tokenizer, Pictures? pictures)
        : base(source, checkpoint, new(TokenLayout.Grid, [tokenizer.CodebookSize]), pictures)
    {
        (_config, _bits, _pictures) = (config, (int)Math.Log2(tokenizer.CodebookSize), pictures);
        _network = Network.Build(NetworkContext.Of(source, checkpoint), "maskbit", scope => MaskBitNetwork.Logits(scope[GeneratorPart], config, _bits), independentRows: true);
        checkpoint.ThrowIfUnused(@"\.bits_to_indices$", $@"^{TokenizerPart}\.(encoder\.|quantize\.codebook$)");
    }

    private const string GeneratorPart = "generator", TokenizerPart = "tokenizer";

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/maskbit",
            Paper = "MaskBit: Embedding-free Image Generation via Bit Tokens",
            ArXiv = "2409.16211",
            Authors = ["Mark Weber", "Lijun Yu", "Qihang Yu", "Xueqing Deng", "Xiaohui Shen", "Daniel Cremers", "Liang-Chieh Chen"],
            Repository = "markweberdev/maskbit",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.yaml + *generator*.bin + *tokenizer*.bin"],
            Sizes =
            [
                new("markweber/maskbit_generator_10bit", 304_728_128, []),
                new("markweber/maskbit_generator_12bit", 304_795_776, []),
                new("markweber/maskbit_generator_14bit", 304_929_024, []),
                new("markweber/maskbit_generator_16bit", 305_193_472, []),
                new("markweber/maskbit_generator_18bit", 305_720_320, []),
            ],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_network];

    private int Entries => 1 << (_bits / _config.CodebookSplits);

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward":
                var labels = arguments.Tensor<long>("class_labels").Span.ToArray();
                if (arguments.Has("drop_label_mask"))
                {
                    var dropped = arguments.Tensor<long>("drop_label_mask");
                    for (var i = 0; i < labels.Length; i++) labels[i] = dropped.Span[i] != 0 ? _config.Nclass : labels[i];
                }

                return (await _network.RunAsync(cancel, ("img_tokens", arguments.Tensor<long>("img_tokens")), ("class_labels", Tensor.Create(labels, labels.Length))).ConfigureAwait(false)).ToResults();
            case "split_factorized_tokens":
                return new CallResults().Add("split_tokens", Split(arguments.Tensor<long>("tokens")));
            case "combine_factorized_tokens":
                return new CallResults().Add("tokens", Combine(arguments.Tensor<long>("tokens")));
            case "sample":
                return await SampleCallAsync(arguments, cancel).ConfigureAwait(false);
            default:
                throw Unsupported(call, "forward", "split_factorized_tokens", "combine_factorized_tokens", "sample");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, MaskBitOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.Nclass, options.Count);
        var sampling = new MaskGitOptions
        {
            Steps = options.Steps ?? _config.NumSteps,
            GuidanceScale = options.Guidance ?? _config.GuidanceScale,
            GuidanceAnnealing = options.GuidanceAnnealing ?? _config.GuidanceAnnealing,
            ScalePow = options.ScalePow ?? _config.ScalePow,
            MaskSchedule = options.MaskSchedule ?? _config.GenMaskScheduleStrategy,
            SoftmaxTemperature = options.SoftmaxTemperature ?? _config.SoftmaxTemperature,
            RandomizeTemperature = options.RandomizeTemperature ?? _config.RandomizeTemperature,
            UseSamplingAnnealing = options.UseSamplingAnnealing ?? _config.UseSamplingAnnealing,
        };
        var draws = new MaskGitDraws(Draws.Uniform(seed, labels.Length), Gumbels(Draws.Uniform(seed, labels.Length, series: 1)));
        await foreach (var (step, filled) in StepsOf.RunAsync<int[]>(report => Sampler(labels).Sample(Model(labels, sampling, cancel), draws, sampling, (done, _, ids) => report(done + 1, ids)), cancel).ConfigureAwait(false))
            yield return new(step, sampling.Steps, step == sampling.Steps ? Grid(Combine(Codes(filled, labels.Length))) : null);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var (config, tokenizer) = (PublishedConfig.Read<MaskBitGeneratorConfig>(folder, "model.mlm_model").Value, PublishedConfig.Read<MaskBitConfig>(folder, "model.vq_model").Value);
        var (generatorFile, tokenizerFile) = (Named(source, "generator"), Named(source, "tokenizer"));
        if (generatorFile is null) throw new CheckpointException(ErrorCodes.CheckpointMissing, "The generator's weights are not there.") { Where = folder, Expected = "a file whose name has 'generator' in it" };
        Inference.CheckpointPart[] parts = [new(generatorFile, Prefix: GeneratorPart + ".")];
        var checkpoint = Checkpoint.Open(tokenizerFile is null ? parts : [.. parts, new(tokenizerFile, Prefix: TokenizerPart + ".")]);
        Pictures? pictures = null;
        try
        {
            if (tokenizerFile is not null)
            {
                pictures = new(Network.Build(NetworkContext.Of(source, checkpoint) with { Stages = false }, "maskbit tokenizer", scope =>
                {
                    var codes = scope.Graph.Input("tokens", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("rows"), Dim.Symbol("columns")]);
                    scope.Graph.Output("image", MaskBitAutoencoder.Decoder(scope[TokenizerPart]["decoder"], MaskBitAutoencoder.Entries(scope[TokenizerPart], codes, tokenizer).ChannelsFirst(), tokenizer));
                }));
            }

            return ValueTask.FromResult<IModel>(new MaskBitModel(source, checkpoint, config, tokenizer, pictures));
        }
        catch
        {
            pictures?.Dispose();
            checkpoint.Dispose();
            throw;
        }
    }

    private static string? Named(ModelSource source, string word) =>
        (source.Parts.Count > 0 ? source.Parts.Select(part => Path.Combine(source.RequireFolder(), part.File)) : Directory.GetFiles(source.RequireFolder()).Order(StringComparer.Ordinal))
            .FirstOrDefault(file => Path.GetFileName(file).Contains(word, StringComparison.OrdinalIgnoreCase) && Path.GetExtension(file) is (".bin" or ".pt" or ".safetensors"));

    private MaskGitSampler Sampler(long[] labels) => new(labels.Length, _config.SeqLen * _config.CodebookSplits, Entries, Entries);

    private MaskGitModel Model(long[] labels, MaskGitOptions options, CancellationToken cancel)
    {
        var guided = options.GuidanceScale != 0;
        var classes = Tensor.Create<long>(guided ? [.. labels, .. labels.Select(_ => (long)_config.Nclass)] : labels, (guided ? 2 : 1) * labels.Length);
        return (_, ids, conditional, unconditional) =>
        {
            var tokens = Codes(ids, labels.Length);
            var logits = _network.Run(cancel, ("img_tokens", guided ? tokens.Doubled() : tokens), ("class_labels", classes))["logits"].Span;
            logits[..conditional.Length].CopyTo(conditional);
            if (guided) logits[conditional.Length..].CopyTo(unconditional);
        };
    }

    private async Task<CallResults> SampleCallAsync(CallArguments arguments, CancellationToken cancel)
    {
        var labels = arguments.Tensor<long>("labels").Span.ToArray();
        var options = new MaskGitOptions
        {
            Steps = arguments.Literal("num_steps", 12),
            GuidanceScale = arguments.Literal("guidance_scale", 3.0),
            GuidanceAnnealing = Enum.Parse<GuidanceAnnealing>(arguments.Literal("guidance_annealing", "none"), ignoreCase: true),
            MaskSchedule = arguments.Literal("mask_schedule_strategy", "linear"),
            SoftmaxTemperature = arguments.Literal("softmax_temperature", 1.0),
            RandomizeTemperature = arguments.Literal("randomize_temperature", 4.5),
            ScalePow = arguments.Literal("scale_pow", 4.0),
            UseSamplingAnnealing = arguments.Literal("use_sampling_annealing", false),
        };
        var draws = new MaskGitDraws(Draws.Given(arguments.Tensor<float>("uniforms")), Draws.Given(arguments.Tensor<float>("gumbel")));
        var size = _config.SeqLen * _config.CodebookSplits;
        var steps = Tensor.Zeros<long>(labels.Length, options.Steps, _config.SeqLen, _config.CodebookSplits);
        var last = await Task.Run(() => Sampler(labels).Sample(Model(labels, options, cancel), draws, options, (step, _, ids) =>
        {
            for (var i = 0; i < ids.Length; i++) steps.Slice(i / size).Slice(step).Span[i % size] = ids[i];
        }), cancel).ConfigureAwait(false);
        var tokens = Combine(Codes(last, labels.Length));
        var results = new CallResults().Add("step_tokens", steps).Add("tokens", tokens);
        return _pictures is null ? results : results.Add("image", await _pictures.PaintAsync(Grid(tokens), cancel).ConfigureAwait(false));
    }

    private Tensor<long> Codes(ReadOnlySpan<int> ids, int samples) => Tensor.Create(Array.ConvertAll(ids.ToArray(), id => (long)id), samples, _config.SeqLen, _config.CodebookSplits);

    private static Tensor<long> Grid(Tensor<long> tokens) => (long)Math.Sqrt(tokens.Shape[1]) is var side ? tokens.Reshape(tokens.Shape[0], side, side) : tokens;

    // Part i of a token holds its bits from i times the bits of a part on. (B, N) <-> (B, N, S)
    private Tensor<long> Split(Tensor<long> tokens)
    {
        var bits = _bits / _config.CodebookSplits;
        var parts = Tensor.Zeros<long>([.. tokens.Shape, _config.CodebookSplits]);
        for (var i = 0; i < parts.Length; i++) parts.Span[i] = (tokens.Span[i / _config.CodebookSplits] >> (i % _config.CodebookSplits * bits)) & (Entries - 1);
        return parts;
    }

    private Tensor<long> Combine(Tensor<long> parts)
    {
        var bits = _bits / _config.CodebookSplits;
        var tokens = Tensor.Zeros<long>(parts.Shape[..^1]);
        for (var i = 0; i < parts.Length; i++) tokens.Span[i / _config.CodebookSplits] += parts.Span[i] << (i % _config.CodebookSplits * bits);
        return tokens;
    }

    private static Draw Gumbels(Draw uniforms) => (step, destination) =>
    {
        uniforms(step, destination);
        foreach (ref var number in destination) number = Draws.Gumbel(number);
    };

    private sealed record MaskGitDraws(Draw Tokens, Draw Confidences) : IMaskGitDraws
    {
        public void Uniforms(int step, Span<float> destination) => Tokens(step, destination);

        public void Gumbels(int step, Span<float> destination) => Confidences(step, destination);
    }

    // The authors' decoder gives 0..1 and does not cut to it.
    private sealed class Pictures(Network network) : IPictureDecoder
    {
        public async Task<Tensor<float>> PaintAsync(Tensor codes, CancellationToken cancel) => (await network.RunAsync(cancel, ("tokens", codes)).ConfigureAwait(false))["image"];

        public async Task<Tensor<float>> DecodeAsync(Tensor samples, CancellationToken cancel)
        {
            var image = await PaintAsync(samples, cancel).ConfigureAwait(false);
            foreach (ref var pixel in image.Span) pixel = Math.Clamp(pixel, 0, 1);
            return image;
        }

        public void Dispose() => network.Dispose();
    }
}
