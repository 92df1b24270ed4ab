// Text-Conditioned Sampling Framework for Text-to-Image Generation with Masked Generative Models. Lee, Jang, Jo, Yoon, Kim, Kim, Ha, Hwang. arXiv:2304.01515. No public code: spec.md beside the case says what is computed.
// Layout: config.json + model.safetensors (generator.*, tcts.*). Deviations: provisional where the specification says so.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Sizes of the generator and of the sampler, which are alike.</summary>
public sealed record TctsConfig
{
    /// <summary>Width.</summary>
    [Range(1, 1 << 16)] public int Width { get; init; } = 1024;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int Heads { get; init; } = 16;
    /// <summary>Blocks.</summary>
    [Range(1, 256)] public int Depth { get; init; } = 24;
    /// <summary>Number of codes; the mask follows them.</summary>
    [Range(1, 1 << 24)] public int Codes { get; init; } = 2886;
    /// <summary>Tokens of a picture.</summary>
    [Range(1, 1 << 16)] public int Length { get; init; } = 1024;
    /// <summary>Width of the text's features.</summary>
    [Range(1, 1 << 16)] public int TextDim { get; init; } = 512;
}

/// <summary>Which tokens stay after a step.</summary>
public enum TctsMode
{
    /// <summary>Those that the sampler believes, revealed or not.</summary>
    Tcts,
    /// <summary>Likewise, but revealed tokens that little attention looks at stay for good.</summary>
    TctsFas,
    /// <summary>Those of which the generator is most certain; revealed tokens stay for good.</summary>
    Confidence,
}

/// <summary>Options of the text-conditioned sampler.</summary>
public sealed record TctsOptions : PictureOptions
{
    /// <summary>Number of steps.</summary>
    [Description("Steps."), Range(1, 1000)] public int Steps { get; init; } = 16;
    /// <summary>Temperature.</summary>
    [Description("Temperature of the codes."), Range(1e-3, 100.0)] public double Temperature { get; init; } = 1;
    /// <summary>Which tokens stay.</summary>
    [Description("Which tokens stay after a step: tcts, tcts_fas or confidence.")] public TctsMode Mode { get; init; } = TctsMode.TctsFas;
    /// <summary>Share of the tokens that stay for good.</summary>
    [Description("Share of the places whose tokens stay for good with tcts_fas: those that attention looks at least."), Range(0.0, 1.0)] public double LowShare { get; init; } = 0.5;
}

internal static class TctsNetwork
{
    private static readonly Dim Rows = Dim.Symbol("rows");

    /// <summary>The generator: tokens (B, L) and text_features (B, M, C) -> logits (B, L, K), and received (B, L), the mean attention that each place gets.</summary>
    public static void Generator(Scope generator, TctsConfig config)
    {
        var maps = new List<Value>();
        var h = Trunk(generator, config, config.Codes + 1, maps);
        generator.Graph.Output("logits", generator["head"].Linear(h, config.Codes));
        generator.Graph.Output("received", maps.Aggregate((a, b) => a + b).Reduce("ReduceMean", [1, 2], keep: false) / maps.Count);
    }

    /// <summary>The sampler: revealed tokens (B, L) and text_features (B, M, C) -> token_scores (B, L).</summary>
    public static void Sampler(Scope tcts, TctsConfig config) => tcts.Graph.Output("token_scores", tcts["head"].Linear(Trunk(tcts, config, config.Codes, null), 1).Squeeze(-1));

    private static Value Trunk(Scope scope, TctsConfig config, int vocabulary, List<Value>? maps)
    {
        var tokens = scope.Graph.Input("tokens", ElementType.Int64, [Rows, config.Length]);
        var text = scope["text_proj"].Linear(scope.Graph.Input("text_features", [Rows, Dim.Symbol("words"), config.TextDim]), config.Width);
        var x = scope["token_embed"].Embedding(tokens, vocabulary, config.Width) + scope.Weight("pos_embed", config.Length, config.Width);
        for (var i = 0; i < config.Depth; i++) x = Block(scope["blocks"][i], x, text, config, maps);
        return scope["norm"].LayerNorm(x);
    }

    private static Value Block(Scope block, Value x, Value text, TctsConfig config, List<Value>? maps)
    {
        var (attn, cross, width) = (block["attn"], block["cross_attn"], config.Width);
        var (q, k, v) = attn["qkv"].Qkv(block["norm1"].LayerNorm(x), width);
        maps?.Add((q.SplitHeads(config.Heads).MatMul(k.SplitHeads(config.Heads).Swap(-1, -2)) / Math.Sqrt((double)width / config.Heads)).Softmax());   // (B, heads, L, L)
        x += attn["proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = config.Heads }), width);
        var (keys, values) = (cross["kv"].LinearRows(text, 2 * width, 0, width), cross["kv"].LinearRows(text, 2 * width, width, width));
        var queries = cross["q"].Linear(block["norm_cross"].LayerNorm(x), width);
        x += cross["proj"].Linear(AttentionLayers.Attention(queries, keys, values, new() { Heads = config.Heads }), width);
        // The hidden width is not in the configuration.
        var hidden = block.IsInventory ? 4L * width : block["mlp.fc1"].ShapeOf("weight")[0];
        return x + block["mlp"].Mlp(block["norm2"].LayerNorm(x), hidden, value => value.Gelu());
    }
}

/// <summary>A masked text-to-picture generator whose tokens a second transformer judges.</summary>
public sealed class TctsModel : ImageGenerator<TctsOptions>
{
    private const float Persistent = 10000;
    private readonly TctsConfig _config;
    private readonly Network _generator, _sampler;

    private TctsModel(ModelSource source, Checkpoint checkpoint, TctsConfig config) : base(source, checkpoint, new(TokenLayout.Flat, [config.Codes]), decoder: null, paints: false)
    {
        _config = config;
        var context = NetworkContext.Of(source, checkpoint);
        _generator = Network.Build(context, "tcts/generator", scope => TctsNetwork.Generator(scope["generator"], config));
        _sampler = Network.Build(context, "tcts/sampler", scope => TctsNetwork.Sampler(scope["tcts"], config));
        checkpoint.ThrowIfUnused();
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/tcts",
            Paper = "Text-Conditioned Sampling Framework for Text-to-Image Generation with Masked Generative Models",
            ArXiv = "2304.01515",
            Authors = ["Jaewoong Lee", "Sangwon Jang", "Jaehyeong Jo", "Jaehong Yoon", "Yunji Kim", "Jin-Hwa Kim", "Jung-Woo Ha", "Sung Ju Hwang"],
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Tokens],
            Layouts = ["specification: config.json + model.safetensors"],
            Deviations = "No code is public; frequency-adaptive sampling follows a specification that is provisional.",
        },
        (source, _) => Generators.Open(source, checkpoint => new TctsModel(source, checkpoint, PublishedConfig.Read<TctsConfig>(source.RequireFolder()).Value)));

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_generator, _sampler];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        var text = arguments.Tensor<float>("text_features");
        switch (call)
        {
            case "forward":
                var outputs = await _generator.RunAsync(cancel, ("tokens", arguments.Tensor("tokens")), ("text_features", text)).ConfigureAwait(false);
                var scores = await _sampler.RunAsync(cancel, ("tokens", arguments.Tensor("revealed_tokens")), ("text_features", text)).ConfigureAwait(false);
                return new CallResults().Add("logits", outputs["logits"]).Add("token_scores", scores["token_scores"]);
            case "sample":
                var mode = arguments.Literal("mode", "tcts");
                var options = new TctsOptions
                {
                    Steps = arguments.Literal<int>("steps"),
                    Temperature = arguments.Literal("temperature", 1.0),
                    LowShare = arguments.Literal("low_share", 0.0),
                    Mode = mode switch
                    {
                        "tcts" => TctsMode.Tcts,
                        "tcts_fas" => TctsMode.TctsFas,
                        "confidence" => TctsMode.Confidence,
                        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, "There is no such mode.") { Where = "mode", Expected = "tcts, tcts_fas or confidence", Found = mode },
                    },
                };
                var steps = new List<Step>();
                await foreach (var step in RunAsync(text, options, Draws.Given(arguments.Tensor<float>("uniforms")), cancel).ConfigureAwait(false)) steps.Add(step);
                Tensor<T> Stacked<T>(Func<Step, Tensor<T>> part) where T : unmanaged => TensorParts.Concat(0, [.. steps.Select(part).Select(rows => rows.Reshape([1, .. rows.Shape]))]);
                var results = new CallResults().Add($"x0hat_{mode}", Stacked(step => step.Filled)).Add($"scores_{mode}", Stacked(step => step.Scores)).Add($"x_{mode}", Stacked(step => step.Tokens));
                if (steps[^1].LowFrequency is { } group) results.Add($"low_frequency_group_{mode}", group);
                return results.Add($"sampled_{mode}", steps[^1].Tokens);
            default:
                throw Unsupported(call, "forward", "sample");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, TctsOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var values = prompt.Media.OfType<NamedTensors>().FirstOrDefault()?.Values;
        if (values?.GetValueOrDefault("text_features") is not Tensor<float> { Rank: 3 } text || text.Shape[2] != _config.TextDim)
            throw new MediaException(ErrorCodes.MediaUnsupported, "The model reads features of a text.") { Expected = $"tensor text_features float32 (1, words, {_config.TextDim})", Remedy = "Give it in a safetensors file with --in." };
        var rows = TensorParts.Concat(0, [.. Enumerable.Range(0, options.Count).Select(i => text.Part(0, i % (int)text.Shape[0], i % (int)text.Shape[0] + 1))]);
        var done = 0;
        await foreach (var step in RunAsync(rows, options, Draws.Uniform(seed, options.Count), cancel).ConfigureAwait(false))
        {
            done++;
            yield return new(done, options.Steps, done == options.Steps ? step.Tokens : null);
        }
    }

    private async IAsyncEnumerable<Step> RunAsync(Tensor<float> text, TctsOptions options, Draw uniforms, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (batch, length) = ((int)text.Shape[0], _config.Length);
        var tokens = Tensor.Create(Enumerable.Repeat((long)_config.Codes, batch * length).ToArray(), batch, length);
        var numbers = new float[tokens.Length];
        Tensor<long>? low = null;
        for (var s = 1; s <= options.Steps; s++)
        {
            var outputs = await _generator.RunAsync(cancel, ("tokens", tokens), ("text_features", text)).ConfigureAwait(false);
            uniforms(s - 1, numbers);
            var (filled, certainty) = Fill(tokens, outputs["logits"], options, numbers);
            var scores = options.Mode == TctsMode.Confidence ? certainty : (await _sampler.RunAsync(cancel, ("tokens", filled), ("text_features", text)).ConfigureAwait(false))["token_scores"];
            var kept = s == options.Steps ? length : length - (int)Math.Floor(length * Math.Cos(Math.PI / 2 * s / options.Steps));
            if (options.Mode == TctsMode.TctsFas)
            {
                if (low is null && 2 * kept >= length) low = LowFrequency(outputs["received"], options.LowShare);
                for (var i = 0; low is not null && i < tokens.Length; i++)
                {
                    if (low.Span[i] != 0 && tokens.Span[i] != _config.Codes) scores.Span[i] = Persistent;
                }
            }

            tokens = Keep(filled, scores, kept);
            yield return new(filled, scores, tokens, low);
        }
    }

    // Masked places take the first code whose cumulative probability exceeds the uniform number; also the generator's largest probability, above all for revealed places.
    private (Tensor<long> Filled, Tensor<float> Certainty) Fill(Tensor<long> tokens, Tensor<float> logits, TctsOptions options, float[] uniforms)
    {
        var (filled, certainty) = (Tensor.Create(tokens.Span.ToArray(), tokens.Shape), Tensor.Zeros<float>(tokens.Shape));
        for (var i = 0; i < tokens.Length; i++)
        {
            var row = logits.Span.Slice(i * _config.Codes, _config.Codes);
            LogitProcessing.Temperature(row, (float)options.Temperature);
            var masked = tokens.Span[i] == _config.Codes;
            certainty.Span[i] = masked ? (float)LogitProcessing.Probabilities(row).Max() : Persistent;
            if (masked) filled.Span[i] = Categorical.Draw(row, 1, uniforms[i]).Id;
        }

        return (filled, certainty);
    }

    // The places with the highest scores, the first of equals; the others are masked.
    private Tensor<long> Keep(Tensor<long> filled, Tensor<float> scores, int kept)
    {
        var tokens = Tensor.Create(filled.Span.ToArray(), filled.Shape);
        for (var row = 0; row < filled.Shape[0]; row++)
        {
            var own = scores.Slice(row).Span.ToArray();
            foreach (var place in Enumerable.Range(0, _config.Length).OrderByDescending(place => own[place]).Skip(kept)) tokens[row, place] = _config.Codes;
        }

        return tokens;
    }

    // 1 for the places that attention looks at least.
    private Tensor<long> LowFrequency(Tensor<float> received, double share)
    {
        var group = Tensor.Zeros<long>(received.Shape);
        for (var row = 0; row < received.Shape[0]; row++)
        {
            var own = received.Slice(row).Span.ToArray();
            foreach (var place in Enumerable.Range(0, _config.Length).OrderBy(place => own[place]).Take((int)Math.Floor(share * _config.Length))) group[row, place] = 1;
        }

        return group;
    }

    // What a step filled in, how it was judged, and what is left of it.
    private sealed record Step(Tensor<long> Filled, Tensor<float> Scores, Tensor<long> Tokens, Tensor<long>? LowFrequency);
}
