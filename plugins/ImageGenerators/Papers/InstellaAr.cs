// Instella-T2I: Pushing the Limits of 1D Discrete Latent Space Image Generation. Wang et al. arXiv:2506.21022. github.com/AMD-AIG-AIMA/Instella-T2I: models/ar_model.py
// Published layout: diffusers folder config.json + model.safetensors. Deviations: none; the language model whose hidden states it reads is not part of it.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Options of Instella's autoregressive generator; defaults are the authors'.</summary>
public sealed record InstellaArOptions : PictureOptions
{
    /// <summary>Scale of guidance.</summary>
    [Description("Classifier-free guidance: what is added of the distance from the empty prompt; 0 for none."), Range(0.0, 100.0)] public double Guidance { get; init; } = 7.5;
    /// <summary>Temperature.</summary>
    [Description("Temperature of the bits; 0 takes the more probable value."), Range(0.0, 100.0)] public double Temperature { get; init; } = 1;
}

internal static class InstellaArNetwork
{
    /// <summary>The teacher-forced pass: bits hidden_states (rows, n, C), features and mask of the texts -> logits (rows, 1 + n, C).</summary>
    public static void Forward(Scope model, InstellaConfig config)
    {
        var (g, n) = (model.Graph, Dim.Symbol("tokens"));
        var bits = g.Input("hidden_states", [InstellaLayers.Rows, n, config.InChannels]);
        var features = InstellaLayers.Features(model, config);
        // A token sees all words and the image up to itself.
        var bias = InstellaLayers.Padding(model, n + 1) + AttentionMasks.Causal(g, n + 1, InstellaLayers.Words + n + 1);
        var x = ValueShape.Concat(1, Split(model, config), Embed(model, bits, config));
        for (var i = 0; i < config.NumLayers; i++)
        {
            var block = model["transformer_blocks"][i];
            var h = block["input_layernorm"].RmsNorm(x) + block.Weight("pos_emb", 1, config.NumImgTkns + 1, config.Width).Take(1, n + 1);
            x = model.Stage($"block_{i}", Finish(block, x + InstellaLayers.Attend(block["attn"], h, InstellaLayers.Text(block, features, i, config), bias, config), config));
        }

        g.Output("logits", Logits(model, x, config));
    }

    /// <summary>Keys and values of the texts for all blocks: <c>key_0</c>, <c>value_0</c>.. (rows, words, D).</summary>
    public static void Text(Scope model, InstellaConfig config)
    {
        var features = InstellaLayers.Features(model, config);
        for (var i = 0; i < config.NumLayers; i++)
        {
            var block = model["transformer_blocks"][i];
            var (k, v) = InstellaLayers.KeysAndValues(block["attn"], InstellaLayers.Text(block, features, i, config), config);
            model.Graph.Output($"key_{i}", k);
            model.Graph.Output($"value_{i}", v);
        }
    }

    /// <summary>The next token after the texts and the tokens in the cache: its bits hidden_states (rows, 1, C), or the split token at the start -> logits (rows, 1, C).</summary>
    public static void Step(Scope model, InstellaConfig config, bool start)
    {
        var g = model.Graph;
        var cache = new GrowingCache(g, InstellaLayers.Rows, config.NumLayers, config.Width);
        var x = start ? Split(model, config) : Embed(model, g.Input("hidden_states", [InstellaLayers.Rows, 1, config.InChannels]), config);
        var place = GrowingCache.Past - InstellaLayers.Words;
        var bias = InstellaLayers.Padding(model, place + 1);
        for (var i = 0; i < config.NumLayers; i++)
        {
            var block = model["transformer_blocks"][i];
            var attn = block["attn"];
            var h = block["input_layernorm"].RmsNorm(x) + block.Weight("pos_emb", 1, config.NumImgTkns + 1, config.Width).Slice(1, place, place + 1);
            var (k, v) = InstellaLayers.KeysAndValues(attn, h, config);
            var mixed = cache.Attention(i, InstellaLayers.Queries(attn, h, config), k, v, new() { Heads = config.NumAttentionHeads, Bias = bias });
            x = Finish(block, x + attn["o_proj"].Linear(mixed, config.Width, bias: false), config);
        }

        g.Output("logits", Logits(model, x, config));
    }

    private static Value Split(Scope model, InstellaConfig config) => model.Weight("split_token", 1, 1, config.Width).Expand(InstellaLayers.Rows, 1, config.Width);

    private static Value Embed(Scope model, Value bits, InstellaConfig config) => model["x_embedder"].Linear(bits, config.Width);

    private static Value Finish(Scope block, Value x, InstellaConfig config) => x + InstellaLayers.FeedForward(block["mlp"], block["post_attention_layernorm"].RmsNorm(x), config);

    private static Value Logits(Scope model, Value x, InstellaConfig config) => model["proj_out"].Linear(model["norm_out"].RmsNorm(x), config.InChannels);
}

/// <summary>Instella's autoregressive generator: a text to binary tokens, one after the other.</summary>
public sealed class InstellaArModel : ImageGenerator<InstellaArOptions>
{
    private readonly InstellaConfig _config;
    private readonly Network _forward, _text, _start, _step;

    private InstellaArModel(ModelSource source, Checkpoint checkpoint, InstellaConfig config) : base(source, checkpoint, new(TokenLayout.Grid, [2]), decoder: null, paints: false)
    {
        _config = config;
        var context = NetworkContext.Of(source, checkpoint);
        _forward = Network.Build(context, "instella/forward", model => InstellaArNetwork.Forward(model, config));
        _text = Network.Build(context, "instella/text", model => InstellaArNetwork.Text(model, config));
        _start = Network.Build(context, "instella/start", model => InstellaArNetwork.Step(model, config, start: true));
        _step = Network.Build(context, "instella/step", model => InstellaArNetwork.Step(model, config, start: false));
        checkpoint.ThrowIfUnused(@"^time_embed\.");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/instella-ar",
            Paper = "Instella-T2I: Pushing the Limits of 1D Discrete Latent Space Image Generation",
            ArXiv = "2506.21022",
            Authors = ["Ze Wang", "Hao Chen", "Benran Hu", "Jiang Liu", "Ximeng Sun", "Jialian Wu", "Yusheng Su", "Xiaodong Yu", "Emad Barsoum", "Zicheng Liu"],
            Repository = "AMD-AIG-AIMA/Instella-T2I",
            CodeLicense = "ResearchRAIL-MS",
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Tokens],
            Layouts = ["diffusers: config.json + model.safetensors"],
            Sizes = [new("amd/Instella-T2I: ar", 877_176_896, [])],
        },
        (source, _) => Generators.Open(source, checkpoint => new InstellaArModel(source, checkpoint, PublishedConfig.Read<InstellaConfig>(source.RequireFolder()).Value)));

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_forward, _text, _start, _step];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward":
                // The authors' code takes no bits at the first step.
                var bits = arguments.FindTensor<float>("hidden_states") ?? Tensor.Zeros<float>(arguments.Tensor("text_mask").Shape[0], 0, _config.InChannels);
                return (await _forward.RunAsync(cancel, ("hidden_states", bits), ("llm_features", arguments.Tensor("llm_features")), ("text_mask", arguments.Tensor("text_mask"))).ConfigureAwait(false)).ToResults();
            case "sample":
                var text = InstellaText.Of(arguments);
                var options = new InstellaArOptions { Guidance = arguments.Literal("guidance_scale", 7.5), Temperature = arguments.Literal("temp", 1.0) };
                var uniform = options.Temperature == 0 ? Tensor.Zeros<float>(text.Batch, _config.NumImgTkns, _config.InChannels) : arguments.Tensor<float>("uniform");
                var codes = Tensor.Zeros<long>(uniform.Shape);
                await foreach (var _ in RunAsync(text, options, Given, codes, cancel).ConfigureAwait(false)) { }
                return new CallResults().Add("codes", codes);

                void Given(int token, Span<float> destination) => uniform.Part(1, token, token + 1).Span.CopyTo(destination);
            default:
                throw Unsupported(call, "forward", "sample");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, InstellaArOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var codes = Tensor.Zeros<long>(options.Count, _config.NumImgTkns, _config.InChannels);
        await foreach (var done in RunAsync(InstellaText.Of(prompt, _config, options.Count), options, Draws.Uniform(seed, options.Count), codes, cancel).ConfigureAwait(false))
            yield return new(done, _config.NumImgTkns, done == _config.NumImgTkns ? codes : null);
    }

    // Writes the bits (B, n, C) token by token; gives how many tokens there are.
    private async IAsyncEnumerable<int> RunAsync(InstellaText text, InstellaArOptions options, Draw uniforms, Tensor<long> codes, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (batch, width) = (text.Batch, _config.InChannels);
        var past = await _text.RunAsync(cancel, ("llm_features", text.Features)).ConfigureAwait(false);
        using var first = new GrowingState(_start, past);
        var logits = (await first.StepAsync(cancel, ("text_mask", text.Mask)).ConfigureAwait(false))["logits"].As<float>();
        using var state = new GrowingState(_step, first);
        var numbers = new float[batch * width];
        for (var token = 0; token < _config.NumImgTkns; token++)
        {
            if (token > 0)
            {
                var bits = Tensor.Create(Array.ConvertAll(codes.Part(1, token - 1, token).Span.ToArray(), bit => (float)bit), batch, 1, width);
                logits = (await state.StepAsync(cancel, ("hidden_states", bits.Doubled()), ("text_mask", text.Mask)).ConfigureAwait(false))["logits"].As<float>();
            }

            uniforms(token, numbers);
            for (var i = 0; i < numbers.Length; i++) codes[i / width, token, i % width] = Bit(logits.Span[i], logits.Span[numbers.Length + i], options, numbers[i]) ? 1 : 0;
            yield return token + 1;
        }
    }

    // (1 + g) c - g u of the logits over the temperature.
    private static bool Bit(float conditional, float unconditional, InstellaArOptions options, float uniform)
    {
        var (scale, temperature) = ((float)options.Guidance, options.Temperature == 0 ? 1 : (float)options.Temperature);
        var logit = (float)(1 + options.Guidance) * (conditional / temperature) - scale * (unconditional / temperature);
        return options.Temperature == 0 ? logit > 0 : uniform < 1 / (1 + MathF.Exp(-logit));
    }
}
