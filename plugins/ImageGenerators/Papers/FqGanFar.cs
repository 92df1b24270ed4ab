// Factorized Visual Tokenization and Generation. Bai, Gao, Gao, Wang, Zhang, He, Shou. arXiv:2411.16681. github.com/showlab/FQGAN: autoregressive/models/far_dual.py, far_triple.py
// Published layout: FAR-*.pt (key model) + config.json (the authors' ModelArgs). Deviations: none. The generator of three codebooks is told by its third table.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The authors' <c>ModelArgs</c>; defaults are those of FAR-B.</summary>
public sealed record FqGanFarConfig : LlamaArguments
{
    /// <summary>Blocks of the backbone.</summary>
    [Range(1, 256)] public int NLayer { get; init; } = 24;
    /// <summary>Blocks of the head that writes the codes of a place.</summary>
    [Range(1, 256)] public int ArNLayer { get; init; } = 3;
    /// <summary>Classes; the dropped class follows them.</summary>
    public int NumClasses { get; init; } = 1000;
    /// <summary>Rate at which classes were dropped in training; 0 when there is no dropped class.</summary>
    public double ClassDropoutProb { get; init; } = 0.1;
    /// <summary>Kind of condition.</summary>
    [AllowedValues("c2i")] public string ModelType { get; init; } = "c2i";
    /// <summary>Entries of each codebook.</summary>
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 16384;
    /// <summary>Positions of the condition.</summary>
    [AllowedValues(1)] public int ClsTokenNum { get; init; } = 1;
}

/// <summary>Options of FAR; each list has one number for all codes, or one for each codebook: visual, then semantic codes.</summary>
public sealed record FqGanFarOptions : PictureOptions
{
    /// <summary>Scales of guidance.</summary>
    [Description("Classifier-free guidance, for all codes or codebook by codebook; 1 for none.")] public double[] Guidance { get; init; } = [2];
    /// <summary>Temperatures.</summary>
    [Description("Temperature, for all codes or codebook by codebook.")] public double[] Temperature { get; init; } = [1];
    /// <summary>Ids that a place may take.</summary>
    [Description("Keep the k most probable ids, for all codes or codebook by codebook; 0 for all.")] public int[] TopK { get; init; } = [0];
    /// <summary>Mass of the ids that a place may take.</summary>
    [Description("Keep the most probable ids up to this mass, for all codes or codebook by codebook.")] public double[] TopP { get; init; } = [1];

    internal TokenSampling Choice(int codebook) => new() { Temperature = (float)Of(Temperature, codebook), TopK = Of(TopK, codebook), TopP = (float)Of(TopP, codebook) };

    internal double GuidanceOf(int codebook) => Of(Guidance, codebook);

    private static T Of<T>(T[] numbers, int codebook) => numbers.Length == 1 ? numbers[0] : numbers[codebook];
}

internal static class FqGanFarNetwork
{
    private static readonly Dim Rows = Dim.Symbol("rows");

    /// <summary>The class: labels (rows) -> (rows, 1, D).</summary>
    public static void Start(Scope far, FqGanFarConfig config) => far.Graph.Output("x",
        far["cls_embedding.embedding_table"].Embedding(far.Graph.Input("labels", ElementType.Int64, [Rows]), config.NumClasses + (config.ClassDropoutProb > 0 ? 1 : 0), config.Dim).Unsqueeze(1));

    /// <summary>The codes of a place: ids (rows, codebooks) -> (rows, 1, D).</summary>
    public static void Next(Scope far, FqGanFarConfig config, int codebooks)
    {
        var ids = far.Graph.Input("ids", ElementType.Int64, [Rows, codebooks]);
        far.Graph.Output("x", far["aggregation_layer"].Linear(ValueShape.Concat(-1, [.. Enumerable.Range(0, codebooks).Select(codebook => Embed(far, codebook, ids, config))]), config.Dim));
    }

    /// <summary>The backbone at the next position: x (rows, 1, D) -> context (rows, 1, D).</summary>
    public static void Step(Scope far, FqGanFarConfig config)
    {
        var x = far.Graph.Input("x", [Rows, 1, config.Dim]);
        var cache = config.Sizes.Cache(far.Graph, Rows, 1);
        var rotary = Tables(far, config).At(cache.Positions);
        for (var i = 0; i < config.NLayer; i++)
        {
            var layer = i;
            x = far["layers"][i].LlamaBlock(x, config.Sizes, rotary, (q, k, v, options) => cache.Attention(layer, q, k, v, options));
        }

        far.Graph.Output("context", x);
    }

    /// <summary>Logits of a place's next code, when those before it are known: context (rows, 1, D), ids (rows, known) -> (rows, 1, K).</summary>
    public static void Head(Scope far, FqGanFarConfig config, int known)
    {
        var x = far.Graph.Input("context", [Rows, 1, config.Dim]);
        if (known > 0)
        {
            var ids = far.Graph.Input("ids", ElementType.Int64, [Rows, known]);
            x = ValueShape.Concat(1, [x, .. Enumerable.Range(0, known).Select(codebook => Embed(far, codebook, ids, config))]);
        }

        // The head's positions have the tables' first rows: that of the class, which is zero, and those of the first places.
        var rotary = Tables(far, config).Rows(0, x.Shape[1]);
        for (var i = 0; i < config.ArNLayer; i++) x = far["ar_head"][i].LlamaBlock(x, config.Sizes, rotary, AttentionLayers.Attention);
        var last = far["norm"].RmsNorm(x.Last(1, 1), config.NormEps);
        far.Graph.Output("logits", far[$"output_{known + 1}"].Linear(last, config.VocabSize, bias: false));
    }

    private static Value Embed(Scope far, int codebook, Value ids, FqGanFarConfig config) => far[$"tok_embeddings_{codebook + 1}"].Embedding(ids.Slice(1, codebook, codebook + 1), config.VocabSize, config.Dim);

    private static (Value, Value) Tables(Scope far, FqGanFarConfig config) => LlamaLayers.GridTables(far.Graph, config.Side, config.Dim / config.NHead, config.ClsTokenNum, config.RopeBase);
}

/// <summary>FAR: a class to the codes of each place, the visual one before the semantic ones.</summary>
public sealed class FqGanFarModel : ImageGenerator<FqGanFarOptions>
{
    private readonly FqGanFarConfig _config;
    private readonly Network _start, _next, _step;
    private readonly Network[] _heads;

    private FqGanFarModel(ModelSource source, Checkpoint checkpoint, FqGanFarConfig config, int codebooks) : base(source, checkpoint, new(TokenLayout.Grid, [.. Enumerable.Repeat(config.VocabSize, codebooks)]), decoder: null, paints: false)
    {
        _config = config;
        var context = NetworkContext.Of(source, checkpoint);
        _start = Network.Build(context, "far/start", far => FqGanFarNetwork.Start(far, config), independentRows: true);
        _next = Network.Build(context, "far/next", far => FqGanFarNetwork.Next(far, config, codebooks), independentRows: true);
        _step = Network.Build(context, "far/step", far => FqGanFarNetwork.Step(far, config));
        _heads = [.. Enumerable.Range(0, codebooks).Select(known => Network.Build(context, $"far/head_{known + 1}", far => FqGanFarNetwork.Head(far, config, known), independentRows: true))];
        checkpoint.ThrowIfUnused(@"^freqs_cis$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/fqgan-far",
            Paper = "Factorized Visual Tokenization and Generation",
            ArXiv = "2411.16681",
            Authors = ["Zechen Bai", "Jianxiong Gao", "Ziteng Gao", "Pichao Wang", "Zheng Zhang", "Tong He", "Mike Zheng Shou"],
            Repository = "showlab/FQGAN",
            CodeLicense = "CC-BY-NC-4.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens],
            Layouts = ["authors: FAR-*.pt + config.json"],
            Sizes = [new("showlab/FQGAN: FAR-B", 417_104_896, [])],
        },
        (source, _) => Generators.Open(source, checkpoint => new FqGanFarModel(source, checkpoint, PublishedConfig.Read<FqGanFarConfig>(source.RequireFolder()).Value, checkpoint.Tensors.Any(tensor => tensor.Name == "tok_embeddings_3.weight") ? 3 : 2), "model"));

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_start, _next, _step, .. _heads];

    private int Codebooks => _heads.Length;

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call != "generate") throw Unsupported(call, "generate");
        var labels = arguments.Tensor<long>("labels").Span.ToArray();
        var options = new FqGanFarOptions
        {
            Guidance = arguments.Literal<double[]>("cfg_scale", [1]),
            Temperature = arguments.Literal<double[]>("temperature", [1]),
            TopK = arguments.Literal<int[]>("top_k", [0]),
            TopP = arguments.Literal<double[]>("top_p", [1]),
        };
        // With one id left any number chooses it.
        var uniforms = arguments.Has("uniforms") || options.TopK.Any(k => k != 1) ? Draws.Given(arguments.Tensor<float>("uniforms")) : (_, _) => { };
        var (results, codes, step) = (new CallResults(), Tensor.Zeros<long>(labels.Length, Codebooks, _config.BlockSize), 0);
        await foreach (var place in RunAsync(labels, options, uniforms, codes, cancel).ConfigureAwait(false))
        {
            for (var codebook = 0; codebook < Codebooks; codebook++) results.Add($"logits_{codebook + 1}_step_{step}", place[codebook]);
            step++;
        }

        foreach (var name in (string[])["", "greedyish_", "greedy_", "topk_", "topp_"])
        {
            for (var codebook = 0; codebook < Codebooks; codebook++) results.Add($"{name}codes_{codebook + 1}", codes.Part(1, codebook, codebook + 1).Reshape(labels.Length, _config.BlockSize));
        }

        return results;
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, FqGanFarOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.NumClasses, options.Count);
        foreach (var (name, count) in new[] { ("guidance", options.Guidance.Length), ("temperature", options.Temperature.Length), ("top_k", options.TopK.Length), ("top_p", options.TopP.Length) })
        {
            if (count != 1 && count != Codebooks) throw new OptionsException(ErrorCodes.OptionRange, $"There are {Codebooks} codebooks.") { Where = name, Expected = $"1 or {Codebooks} numbers", Found = count.ToString() };
        }

        var (codes, step) = (Tensor.Zeros<long>(labels.Length, Codebooks, _config.BlockSize), 0);
        var numbers = Draws.Uniform(seed, labels.Length);
        // The sampler's draws are (codebooks, samples); each sample's numbers come from its own stream.
        void Uniforms(int place, Span<float> destination)
        {
            var own = new float[destination.Length];
            numbers(place, own);
            for (var i = 0; i < own.Length; i++) destination[i % Codebooks * labels.Length + i / Codebooks] = own[i];
        }

        await foreach (var _ in RunAsync(labels, options, Uniforms, codes, cancel).ConfigureAwait(false))
        {
            step++;
            yield return new(step, _config.BlockSize, step == _config.BlockSize ? codes.Reshape(labels.Length, Codebooks, _config.Side, _config.Side) : null);
        }
    }

    // Place by place: writes the codes (B, codebooks, places) and gives the logits of each codebook (rows, 1, K), conditional rows first.
    private async IAsyncEnumerable<Tensor<float>[]> RunAsync(long[] labels, FqGanFarOptions options, Draw uniforms, Tensor<long> codes, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (batch, guided) = (labels.Length, options.GuidanceOf(0) > 1);
        long[] rows = guided ? [.. labels, .. labels.Select(_ => (long)_config.NumClasses)] : labels;
        var x = (await _start.RunAsync(cancel, ("labels", Tensor.Create(rows, rows.Length))).ConfigureAwait(false))["x"];
        var numbers = new float[Codebooks * batch];
        using var state = _step.Begin(rows.Length);
        for (var place = 0; place < _config.BlockSize; place++)
        {
            var context = (await state.StepAsync(cancel, ("x", x)).ConfigureAwait(false))["context"];
            uniforms(place, numbers);
            var logits = new Tensor<float>[Codebooks];
            for (var codebook = 0; codebook < Codebooks; codebook++)
            {
                (string, Tensor)[] inputs = codebook == 0 ? [("context", context)] : [("context", context), ("ids", Chosen(place, codebook))];
                logits[codebook] = (await _heads[codebook].RunAsync(cancel, inputs).ConfigureAwait(false))["logits"];
                Choose(logits[codebook], place, codebook);
            }

            yield return logits;
            if (place + 1 < _config.BlockSize) x = (await _next.RunAsync(cancel, ("ids", Chosen(place, Codebooks))).ConfigureAwait(false))["x"];
        }

        // The first codes of a place, row by row.
        Tensor<long> Chosen(int place, int count) =>
            Tensor.Create<long>([.. Enumerable.Range(0, rows.Length).SelectMany(row => Enumerable.Range(0, count).Select(codebook => codes[row % batch, codebook, place]))], rows.Length, count);

        void Choose(Tensor<float> logits, int place, int codebook)
        {
            var own = guided ? Guidance.FromUnconditional(logits, (float)options.GuidanceOf(codebook)) : Tensor.Create(logits.Span.ToArray(), logits.Shape);
            for (var i = 0; i < batch; i++) codes[i, codebook, place] = options.Choice(codebook).Choose(own.Slice(i).Span, [], numbers[codebook * batch + i]);
        }
    }
}
