// End-to-End Vision Tokenizer Tuning. Wang, Zhang, Cui, Diao, Luo, Lu, Liu, Wang. arXiv:2505.10562. The authors published no code; the layout is that of the specification beside the parity case.
// Published layout: config.json + model.safetensors: tokenizer.* (IBQ's names), projector.*, llm.* (Qwen2), lm_head, visual_head. Deviations: the language model reads and writes ids here; its text tokenizer is not part of it.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.LanguageModels;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The configuration.</summary>
public sealed record EttConfig
{
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public int Codes { get; init; } = 131072;
    /// <summary>Width of a code.</summary>
    [Range(1, 65536)] public int CodeDim { get; init; } = 256;
    /// <summary>Encoder and decoder of the tokenizer, where the checkpoint has them.</summary>
    public LdmAutoencoderConfig Ddconfig { get; init; } = new();
    /// <summary>The language model.</summary>
    public EttLanguageModel Llm { get; init; } = new();
}

/// <summary>The published configuration of Qwen2.5 1.5B.</summary>
public sealed record EttLanguageModel : LlamaConfig
{
    /// <summary>Its sizes.</summary>
    public EttLanguageModel() =>
        (ModelType, VocabSize, HiddenSize, IntermediateSize, NumHiddenLayers, NumAttentionHeads, NumKeyValueHeads, RopeTheta) = ("qwen2", 151936, 1536, 8960, 28, 12, 2, 1e6);
}

/// <summary>ETT: a tokenizer whose codes a language model reads as vectors, tuned with it.</summary>
public static class EttModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/ett",
            Paper = "End-to-End Vision Tokenizer Tuning",
            ArXiv = "2505.10562",
            Authors = ["Wenxuan Wang", "Fan Zhang", "Yufeng Cui", "Haiwen Diao", "Zhuoyan Luo", "Huchuan Lu", "Jing Liu", "Xinlong Wang"],
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["specification: config.json + model.safetensors"],
            Deviations = "Written from a specification: there is no public code.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    /// <param name="config">Sizes.</param>
    /// <param name="paints">Whether the checkpoint holds the convolutional encoder and decoder; without them only latents and codes are exchanged.</param>
    internal static TokenizerPlan Plan(EttConfig config, bool paints)
    {
        var networks = new Dictionary<string, Action<Scope>>
        {
            ["tokenize"] = model => EttNetwork.Tokenize(model, config),
            ["understand"] = model => EttNetwork.Understand(model, config),
            ["next_code"] = model => EttNetwork.NextCode(model, config),
        };
        if (paints)
        {
            networks["encode"] = model => EttNetwork.Encode(model["tokenizer"], config);
            networks["decode"] = model => EttNetwork.Decode(model["tokenizer"], config);
        }

        ModelZooException Bare() => new CheckpointException(ErrorCodes.CheckpointTensorMissing, "This checkpoint lacks the convolutional encoder and decoder.") { Expected = "tokenizer.encoder.*, tokenizer.decoder.*" };
        return new()
        {
            Networks = networks,
            Calls = new Dictionary<string, ReferenceCall> { ["generate"] = (set, arguments, cancel) => GenerateAsync(set, arguments, config, cancel) },
            Preparation = ImagePreparation.SignedRange(config.Ddconfig.Resolution, config.Ddconfig.Downsampling),
            VocabularySizes = [config.Codes],
            Codebooks = ["tokenizer.quantize.embedding.weight"],
            Encode = paints ? TokenizerPlan.EncodeWith("encode", "x", "codes") : (_, _, _, _) => throw Bare(),
            Decode = paints ? TokenizerPlan.DecodeWith("decode", "codes", "reconstruction") : (_, _, _, _) => throw Bare(),
        };
    }

    // One code after the other, behind the known ones a place that does not count, l_u + g (l_c - l_u), the most probable each time. The whole sequence is read again at each step.
    private static async ValueTask<CallResults> GenerateAsync(NetworkSet networks, CallArguments arguments, EttConfig config, CancellationToken cancel)
    {
        if (!arguments.Literal("greedy", true)) throw new OptionsException(ErrorCodes.OptionRange, "Codes are chosen greedily.") { Where = "greedy", Found = "false" };
        var (text, free, guidance) = (arguments.Tensor<long>("text_ids"), arguments.FindTensor<long>("unconditional_text_ids"), arguments.Literal("cfg_scale", 1f));
        var (rows, columns, batch) = (arguments.Literal<int>("height"), arguments.Literal<int>("width"), (int)text.Shape[0]);
        var (count, guided) = (rows * columns, Tensor.Zeros<float>(batch, rows * columns, config.Codes));
        var codes = Tensor.Zeros<long>(batch, 1);
        for (var step = 0; step < count; step++)
        {
            var logits = (await networks.RunAsync("next_code", cancel, ("text_ids", text), ("codes", codes)).ConfigureAwait(false))["logits"];
            if (free is not null)
            {
                var without = (await networks.RunAsync("next_code", cancel, ("text_ids", free), ("codes", codes)).ConfigureAwait(false))["logits"];
                for (var i = 0; i < logits.Length; i++) logits.Span[i] = without.Span[i] + guidance * (logits.Span[i] - without.Span[i]);
            }

            var longer = Tensor.Zeros<long>(batch, step + 2);
            for (var row = 0; row < batch; row++)
            {
                var chances = logits.Slice(row).Span;
                chances.CopyTo(guided.Span[((row * count + step) * config.Codes)..]);
                for (var i = 0; i < step; i++) longer[row, i] = codes[row, i];
                longer[row, step] = System.Numerics.Tensors.TensorPrimitives.IndexOfMax<float>(chances);
            }

            codes = longer;
        }

        var generated = Tensor.Create(codes.Span.ToArray().Where((_, i) => i % (count + 1) < count).ToArray(), batch, rows, columns);
        return new CallResults().Add("guided_logits", guided).Add("generated_codes", generated);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, checkpoint => Plan(source.ReadConfig<EttConfig>(), checkpoint.Tensors.Any(tensor => tensor.Name.StartsWith("tokenizer.encoder.", StringComparison.Ordinal)))));
}

internal static class EttNetwork
{
    /// <summary>latent (B, D, h, w), before the quantizer -> codes (B, h, w), their rows (B, h w, D), and what the language model sees of them (B, h w, d).</summary>
    public static void Tokenize(Scope model, EttConfig config)
    {
        var codes = Nearest(model["tokenizer"], model.Latents("latent", config.CodeDim), config);
        var rows = Table(model["tokenizer"], config).Gather(codes).Flatten(1, 2);
        model.Graph.Output("codes", codes);
        model.Graph.Output("embeddings", rows);
        model.Graph.Output("projected", Project(model["projector"], rows, config));
    }

    /// <summary>Text before (B, N), codes (B, h, w), text after (B, M) -> states (B, N + h w + M, d), logits of text, and the id that follows.</summary>
    public static void Understand(Scope model, EttConfig config)
    {
        var g = model.Graph;
        var before = g.Input("text_before", ElementType.Int64, [TokenizerInputs.Batch, Dim.Symbol("before")]);
        var codes = model.CodeMap("codes");
        var after = g.Input("text_after", ElementType.Int64, [TokenizerInputs.Batch, Dim.Symbol("after")]);
        var picture = Project(model["projector"], Table(model["tokenizer"], config).Gather(codes).Flatten(1, 2), config);
        var hidden = Llama.Decode(model["llm"], ValueShape.Concat(1, Words(model, before, config), picture, Words(model, after, config)), config.Llm);
        var logits = Llama.Logits(model, hidden, config.Llm, "llm");
        g.Output("hidden", hidden);
        g.Output("text_logits", logits);
        g.Output("next_text_id", logits.Last(1, 1).Squeeze(1).ArgMax(-1));
    }

    /// <summary>Text (B, N), codes so far and one that does not count (B, M + 1) -> logits of the next code (B, K).</summary>
    public static void NextCode(Scope model, EttConfig config)
    {
        var g = model.Graph;
        var text = g.Input("text_ids", ElementType.Int64, [TokenizerInputs.Batch, Dim.Symbol("words")]);
        var codes = g.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, Dim.Symbol("known")]);
        var picture = Project(model["projector"], Table(model["tokenizer"], config).Gather(codes), config);
        var hidden = Llama.Decode(model["llm"], ValueShape.Concat(1, Words(model, text, config), picture.Take(1, codes.Shape[1] - 1)), config.Llm);
        g.Output("logits", model["visual_head"].Linear(hidden.Last(1, 1).Squeeze(1), config.Codes, bias: false));
    }

    /// <summary>x (B, 3, H, W) -> codes (B, h, w).</summary>
    public static void Encode(Scope tokenizer, EttConfig config)
    {
        var h = LdmAutoencoder.Encoder(tokenizer["encoder"], tokenizer.Pictures("x"), config.Ddconfig);
        tokenizer.Graph.Output("codes", Nearest(tokenizer, tokenizer["quant_conv"].Conv(h, config.CodeDim, 1), config));
    }

    /// <summary>codes (B, h, w) -> picture (B, 3, H, W).</summary>
    public static void Decode(Scope tokenizer, EttConfig config)
    {
        var z = Table(tokenizer, config).Gather(tokenizer.CodeMap("codes")).ChannelsFirst();
        tokenizer.Graph.Output("reconstruction", LdmAutoencoder.Decoder(tokenizer["decoder"], tokenizer["post_quant_conv"].Conv(z, config.Ddconfig.ZChannels, 1), config.Ddconfig));
    }

    private static Value Nearest(Scope tokenizer, Value latent, EttConfig config) => VectorQuantization.MostAlike(latent.ChannelsLast(), Table(tokenizer, config));

    private static Value Table(Scope tokenizer, EttConfig config) => tokenizer["quantize.embedding"].Weight("weight", config.Codes, config.CodeDim);

    private static Value Project(Scope projector, Value x, EttConfig config) => projector[2].Linear(projector[0].Linear(x, config.Llm.HiddenSize).Gelu(), config.Llm.HiddenSize);

    private static Value Words(Scope model, Value ids, EttConfig config) => Llama.Embed(model["llm"], ids, config.Llm);
}
