// Token-Shuffle: Towards High-Resolution Image Generation with Autoregressive Models. Ma et al. arXiv:2504.17789. No public code: spec.md beside the case says what is computed.
// Layout: config.json (Llama's keys and the shuffle's) + model.safetensors. Deviations: what the specification chooses.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.LanguageModels;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Llama's configuration with the shuffle's sizes; defaults are those of the 2.7B model.</summary>
public sealed record TokenShuffleConfig : LlamaConfig
{
    /// <summary>The 2.7B model's sizes.</summary>
    public TokenShuffleConfig() => (HiddenSize, IntermediateSize, NumHiddenLayers, NumAttentionHeads, RmsNormEps) = (3072, 8192, 20, 24, 1e-5);

    /// <summary>Number of image ids.</summary>
    [Range(1, 1 << 24)] public int VisualVocabSize { get; init; } = 16384;
    /// <summary>Tokens along each side of a window.</summary>
    [Range(1, 64)] public int ShuffleSize { get; init; } = 2;
    /// <summary>Residual blocks before and after the transformer.</summary>
    [Range(0, 64)] public int NumMlp { get; init; } = 2;
    /// <summary>Their hidden width over the width.</summary>
    public double MlpRatio { get; init; } = 1;

    internal int Window => ShuffleSize * ShuffleSize;
}

/// <summary>Options of Token-Shuffle.</summary>
public sealed record TokenShuffleOptions : PictureOptions
{
    /// <summary>Tokens along a column.</summary>
    [Description("Height in image tokens."), Range(1, 1024)] public int Height { get; init; } = 32;
    /// <summary>Tokens along a row.</summary>
    [Description("Width in image tokens."), Range(1, 1024)] public int Width { get; init; } = 32;
    /// <summary>Scale of guidance.</summary>
    [Description("Classifier-free guidance of the second half; it grows from none over the first. Needs the ids of the empty prompt."), Range(0.0, 100.0)] public double Guidance { get; init; } = 7.5;
    /// <summary>Temperature.</summary>
    [Description("Temperature; 0 takes the most probable id."), Range(0.0, 100.0)] public double Temperature { get; init; } = 1;
    /// <summary>Ids that a token may take.</summary>
    [Description("Keep the k most probable ids; 0 for all."), Range(0, 1 << 24)] public int TopK { get; init; }
}

internal static class TokenShuffleNetwork
{
    private static readonly Dim Rows = Dim.Symbol("rows"), Windows = Dim.Symbol("windows"), Words = Dim.Symbol("words");

    /// <summary>Windows of ids (rows, windows, s s) fused: (rows, windows, D).</summary>
    public static void Fuse(Scope model, TokenShuffleConfig config) => model.Graph.Output("fused", Fused(model, WindowIds(model, config), config));

    /// <summary>Text positions: text_ids (rows, words) -> (rows, words, D).</summary>
    public static void Text(Scope model, TokenShuffleConfig config) => model.Graph.Output("x", TextPositions(model, config));

    /// <summary>All positions at once: text_ids (rows, words), windows (rows, windows, s s) -> hidden, image_logits (rows, windows, s s, V), text_logits.</summary>
    public static void Forward(Scope model, TokenShuffleConfig config)
    {
        var g = model.Graph;
        var x = ValueShape.Concat(1, TextPositions(model, config), Fused(model, WindowIds(model, config), config));
        var hidden = Llama.Decode(model["model"], x, config);
        g.Output("hidden", hidden);
        g.Output("image_logits", Unshuffled(model, hidden.Slice(1, Words - 1, Words - 1 + Windows), config));
        g.Output("text_logits", Llama.Logits(model, hidden.Take(1, Words), config));
    }

    /// <summary>Positions x (rows, n, D) after those in the cache -> logits (rows, s s, V) of the next window.</summary>
    public static void Step(Scope model, TokenShuffleConfig config)
    {
        var count = Dim.Symbol("positions");
        var x = model.Graph.Input("x", [Rows, count, config.HiddenSize]);
        var cache = new KeyValueCache(model.Graph, Rows, count, config.KeyValueHeads, config.HeadWidth);
        var hidden = Llama.Decode(model["model"], x, config, cache.Positions, cache.Attention, oneByOne: true);
        model.Graph.Output("logits", Unshuffled(model, hidden.Last(1, 1), config).Squeeze(1));
    }

    private static Value TextPositions(Scope model, TokenShuffleConfig config) =>
        Llama.Embed(model["model"], model.Graph.Input("text_ids", ElementType.Int64, [Rows, Words]), config);

    private static Value WindowIds(Scope model, TokenShuffleConfig config) => model.Graph.Input("windows", ElementType.Int64, [Rows, Windows, config.Window]);

    // Each token compressed, the tokens of a window side by side, then residual perceptrons.
    private static Value Fused(Scope model, Value ids, TokenShuffleConfig config)
    {
        var width = config.HiddenSize;
        var tokens = model["shuffle_proj"].Linear(model["visual_embed"].Embedding(ids, config.VisualVocabSize, width), width / config.Window);
        return Residual(model["shuffle_mlp"], tokens.Reshape(Rows, Windows, width), config);
    }

    private static Value Unshuffled(Scope model, Value hidden, TokenShuffleConfig config)
    {
        var tokens = Residual(model["unshuffle_mlp"], hidden, config).Reshape(hidden.Shape[0], hidden.Shape[1], config.Window, config.HiddenSize / config.Window);
        return model["visual_head"].Linear(model["unshuffle_proj"].Linear(tokens, config.HiddenSize), config.VisualVocabSize, bias: false);
    }

    private static Value Residual(Scope blocks, Value x, TokenShuffleConfig config)
    {
        for (var i = 0; i < config.NumMlp; i++) x += blocks[i].Mlp(blocks[i]["norm"].LayerNorm(x), (long)(config.MlpRatio * config.HiddenSize), value => value.Gelu());
        return x;
    }
}

/// <summary>Token-Shuffle: a text to a picture, a window of tokens at a time.</summary>
public sealed class TokenShuffleModel : ImageGenerator<TokenShuffleOptions>
{
    private readonly TokenShuffleConfig _config;
    private readonly Network _fuse, _text, _forward, _step;

    private TokenShuffleModel(ModelSource source, Checkpoint checkpoint, TokenShuffleConfig config)
        : base(source, checkpoint, new(TokenLayout.Grid, [config.VisualVocabSize]), TokenizerPictures.LlamaGen(source))
    {
        _config = config;
        var context = NetworkContext.Of(source, checkpoint);
        _fuse = Network.Build(context, "token-shuffle/fuse", model => TokenShuffleNetwork.Fuse(model, config), independentRows: true);
        _text = Network.Build(context, "token-shuffle/text", model => TokenShuffleNetwork.Text(model, config), independentRows: true);
        _forward = Network.Build(context, "token-shuffle/forward", model => TokenShuffleNetwork.Forward(model, config));
        _step = Network.Build(context, "token-shuffle/step", model => TokenShuffleNetwork.Step(model, config));
        checkpoint.ThrowIfUnused();
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/token-shuffle",
            Paper = "Token-Shuffle: Towards High-Resolution Image Generation with Autoregressive Models",
            ArXiv = "2504.17789",
            Authors = ["Xu Ma", "Peize Sun", "Haoyu Ma", "Hao Tang", "Chih-Yao Ma", "Jialiang Wang", "Kunpeng Li", "Xiaoliang Dai", "Yujun Shi", "Xuan Ju", "Yushi Hu", "Artsiom Sanakoyeu", "Felix Juefei-Xu", "Ji Hou", "Junjiao Tian", "Tao Xu", "Tingbo Hou", "Yen-Cheng Liu", "Zecheng He", "Zijian He", "Matt Feiszli", "Peizhao Zhang", "Peter Vajda", "Sam Tsai", "Yun Fu"],
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["specification: config.json + model.safetensors, tokenizer/ for pictures (LlamaGen's)"],
            Deviations = "No code is public; what the paper leaves open follows a specification.",
        },
        (source, _) => Generators.Open(source, checkpoint => new TokenShuffleModel(source, checkpoint, PublishedConfig.Read<TokenShuffleConfig>(source.RequireFolder()).Value)));

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_fuse, _text, _forward, _step];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "shuffle":
                var windows = ToWindows(arguments.Tensor<long>("image_ids"));
                return new CallResults().Add("windows", windows).AddRange((await _fuse.RunAsync(cancel, ("windows", windows)).ConfigureAwait(false)).ToResults());
            case "forward":
                return (await _forward.RunAsync(cancel, ("text_ids", arguments.Tensor("text_ids")), ("windows", ToWindows(arguments.Tensor<long>("image_ids")))).ConfigureAwait(false)).ToResults();
            case "sample":
                var greedy = arguments.Literal("greedy", false);
                var options = new TokenShuffleOptions
                {
                    Height = arguments.Literal<int>("height"),
                    Width = arguments.Literal<int>("width"),
                    Guidance = arguments.Literal("cfg_scale", 7.5),
                    Temperature = greedy ? 0 : arguments.Literal("temperature", 1.0),
                    TopK = arguments.Literal("top_k", 0),
                };
                var uniforms = greedy ? (_, _) => { } : Draws.Given(arguments.Tensor<float>("uniforms"));
                var (guided, ids) = (new List<Tensor<float>>(), new List<Tensor<long>>());
                await foreach (var (logits, window) in RunAsync(arguments.Tensor<long>("text_ids"), arguments.FindTensor<long>("unconditional_text_ids"), options, uniforms, cancel).ConfigureAwait(false))
                {
                    guided.Add(logits.Reshape([logits.Shape[0], 1, .. logits.Shape[1..]]));
                    ids.Add(window);
                }

                return new CallResults().Add("guided_logits", TensorParts.Concat(1, guided)).Add("sampled_ids", ToPicture(ids, options));
            default:
                throw Unsupported(call, "shuffle", "forward", "sample");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, TokenShuffleOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var values = prompt.Media.OfType<NamedTensors>().FirstOrDefault()?.Values;
        if (values?.GetValueOrDefault("text_ids") is not Tensor<long> { Rank: 2 } text)
            throw new MediaException(ErrorCodes.MediaUnsupported, "The model reads the ids of a text.") { Expected = "tensors text_ids int64 (1, words) and, for guidance, unconditional_text_ids of the same length", Remedy = "Give them in a safetensors file with --in." };
        Tensor<long> Repeated(Tensor<long> rows) => TensorParts.Concat(0, [.. Enumerable.Range(0, options.Count).Select(i => rows.Part(0, i % (int)rows.Shape[0], i % (int)rows.Shape[0] + 1))]);
        var empty = values.GetValueOrDefault("unconditional_text_ids") is Tensor<long> { Rank: 2 } given ? Repeated(given) : null;
        if (empty is null && options.Guidance != 1) throw new OptionsException(ErrorCodes.OptionRange, "Guidance needs the ids of the empty prompt.") { Where = "guidance", Expected = "tensor unconditional_text_ids, or guidance 1" };
        var (windows, ids) = (Count(options), new List<Tensor<long>>());
        await foreach (var (_, window) in RunAsync(Repeated(text), empty, options, Draws.Uniform(seed, options.Count), cancel).ConfigureAwait(false))
        {
            ids.Add(window);
            yield return new(ids.Count, windows, ids.Count == windows ? ToPicture(ids, options) : null);
        }
    }

    // Guided logits (B, s s, V) and ids (B, s s) of window after window.
    private async IAsyncEnumerable<(Tensor<float> Logits, Tensor<long> Ids)> RunAsync(Tensor<long> text, Tensor<long>? empty, TokenShuffleOptions options, Draw uniforms, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (batch, window, windows) = ((int)text.Shape[0], _config.Window, Count(options));
        var choice = new TokenSampling { Temperature = (float)options.Temperature, TopK = options.TopK };
        var rows = empty is null ? text : TensorParts.Concat(0, text, empty);
        var x = (await _text.RunAsync(cancel, ("text_ids", rows)).ConfigureAwait(false))["x"];
        var numbers = new float[batch * window];
        using var state = _step.Begin((int)rows.Shape[0]);
        for (var j = 0; j < windows; j++)
        {
            var logits = (await state.StepAsync(cancel, ("x", x)).ConfigureAwait(false))["logits"];
            // Guidance grows over the first half of the windows.
            if (empty is not null) logits = Guidance.FromUnconditional(logits, (float)(1 + (options.Guidance - 1) * Math.Min(1, j / (windows / 2.0))));
            uniforms(j, numbers);
            var ids = Tensor.Zeros<long>(batch, window);
            for (var i = 0; i < ids.Length; i++) ids.Span[i] = choice.Choose(logits.Span.Slice(i * _config.VisualVocabSize, _config.VisualVocabSize).ToArray(), [], numbers[i]);
            yield return (logits, ids);
            if (j + 1 == windows) break;
            var next = empty is null ? ids : ids.Doubled();
            x = (await _fuse.RunAsync(cancel, ("windows", next.Reshape(next.Shape[0], 1, window))).ConfigureAwait(false))["fused"];
        }
    }

    private int Count(TokenShuffleOptions options)
    {
        var size = _config.ShuffleSize;
        return options.Height % size == 0 && options.Width % size == 0 ? options.Height / size * (options.Width / size)
            : throw new OptionsException(ErrorCodes.OptionRange, "The picture does not divide into windows.") { Where = "height, width", Expected = $"multiples of {size}", Found = $"{options.Height} x {options.Width}" };
    }

    // (B, H, W) -> (B, windows, s s), windows and the tokens of each in rows.
    private Tensor<long> ToWindows(Tensor<long> ids)
    {
        var (size, height, width) = (_config.ShuffleSize, (int)ids.Shape[1], (int)ids.Shape[2]);
        var windows = Tensor.Zeros<long>(ids.Shape[0], height / size * (width / size), _config.Window);
        for (var i = 0; i < ids.Length; i++)
        {
            var (row, y, column) = (i / (height * width), i / width % height, i % width);
            windows[row, y / size * (width / size) + column / size, y % size * size + column % size] = ids.Span[i];
        }

        return windows;
    }

    private Tensor<long> ToPicture(List<Tensor<long>> windows, TokenShuffleOptions options)
    {
        var size = _config.ShuffleSize;
        var across = options.Width / size;
        var picture = Tensor.Zeros<long>(windows[0].Shape[0], options.Height, options.Width);
        for (var j = 0; j < windows.Count; j++)
        {
            for (var i = 0; i < windows[j].Length; i++)
            {
                var token = i % _config.Window;
                picture[i / _config.Window, j / across * size + token / size, j % across * size + token % size] = windows[j].Span[i];
            }
        }

        return picture;
    }
}
