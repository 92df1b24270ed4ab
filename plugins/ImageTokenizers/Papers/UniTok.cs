// UniTok: A Unified Tokenizer for Visual Generation and Understanding. Ma, Jiang, Wu, Yang, Yu, Yuan, Peng, Qi. arXiv:2502.20321. github.com/FoundationVision/UniTok
// Published layout: unitok_tokenizer.pth (args; trainer.unitok). The args stand in config.json. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The published <c>args</c>.</summary>
public sealed record UniTokConfig
{
    /// <summary>Size of the pictures.</summary>
    [Range(8, 4096)] public int ImgSize { get; init; } = 256;
    /// <summary>Kind of the maps around the quantizer.</summary>
    [AllowedValues("attn", "linear")] public string QuantProj { get; init; } = "attn";
    /// <summary>Entries of all codebooks together.</summary>
    public int VocabSize { get; init; } = 32768;
    /// <summary>Width of all codes together.</summary>
    public int VocabWidth { get; init; } = 64;
    /// <summary>Codebooks.</summary>
    [Range(1, 1024)] public int NumCodebooks { get; init; } = 8;
    /// <summary>Learned tokens that stand before the places of the picture and get codes of their own.</summary>
    [Range(0, 4096)] public int NumQuery { get; init; }
    /// <summary>Width of the features shared with words.</summary>
    public int EmbedDim { get; init; } = 768;
    /// <summary>Width of the text tower.</summary>
    public int TextWidth { get; init; } = 768;
    /// <summary>Heads of the text tower.</summary>
    public int TextHeads { get; init; } = 12;
    /// <summary>Blocks of the text tower.</summary>
    public int TextLayers { get; init; } = 12;
    /// <summary>Words that the text tower knows.</summary>
    public int TextVocabSize { get; init; } = 49408;
    /// <summary>Longest text.</summary>
    public int TextContextLength { get; init; } = 77;
    /// <summary>Name of the backbone.</summary>
    public string Model { get; init; } = "vitamin_large";
    /// <summary>Sizes of the backbone, where its name does not tell.</summary>
    public VitaminSizes? Vitamin { get; init; }

    /// <summary>Sizes of the backbone.</summary>
    public VitaminSizes Sizes => Vitamin ?? Model switch
    {
        "vitamin_small" => new() { EmbedDim = [64, 128, 384], StemWidth = 64, NumHeads = 6 },
        "vitamin_base" => new() { EmbedDim = [128, 256, 768], StemWidth = 128, NumHeads = 12 },
        "vitamin_large" => new() { EmbedDim = [160, 320, 1024], StemWidth = 160, NumHeads = 16, VitDepth = 31 },
        _ => throw new CheckpointException(ErrorCodes.ConfigInvalid, "The backbone is not known.") { Found = Model },
    };

    /// <summary>Tokens along each side.</summary>
    public int Side => ImgSize / 16;
    /// <summary>Tokens a picture.</summary>
    public int Tokens => NumQuery + Side * Side;
}

/// <summary>Sizes of ViTamin (Chen et al., arXiv:2404.02132).</summary>
public sealed record VitaminSizes
{
    /// <summary>Width of the two convolutional stages and of the transformer.</summary>
    public int[] EmbedDim { get; init; } = [160, 320, 1024];
    /// <summary>Blocks of the convolutional stages.</summary>
    public int[] Depths { get; init; } = [2, 4];
    /// <summary>Width of the stem.</summary>
    public int StemWidth { get; init; } = 160;
    /// <summary>Blocks of the transformer.</summary>
    public int VitDepth { get; init; } = 14;
    /// <summary>Heads of the transformer.</summary>
    public int NumHeads { get; init; } = 16;
    /// <summary>Blocks of the decoder's convolutional stages.</summary>
    public int[] DecoderDepths { get; init; } = [4, 2];
}

internal static class UniTokNetwork
{
    /// <summary>Features of a picture: stem, two convolutional stages, transformer. (B, 3, S, S) -> (B, queries + N, D).</summary>
    public static Value Encode(Scope encoder, Value image, VitaminSizes sizes, int queries)
    {
        var backbone = encoder["patch_embed.backbone"];
        var stem = backbone["stem"];
        var x = stem["conv2"].Conv(ChannelNorm(stem["norm1"], stem["conv1"].Conv(image, sizes.StemWidth, 3, stride: 2, padding: 1)).Gelu(), sizes.StemWidth, 3, padding: 1);
        encoder.Stage("stem", x);
        for (var stage = 0; stage < sizes.Depths.Length; stage++)
        {
            for (var i = 0; i < sizes.Depths[stage]; i++) x = MbConv(backbone["stages"][stage][i], x, sizes.EmbedDim[stage], i == 0 ? Resampling.Halve : Resampling.Keep);
            encoder.Stage($"stage_{stage}", x);
        }

        var (width, pool) = (sizes.EmbedDim[^1], backbone["pool"]);
        x = pool["proj"].Conv(ChannelNorm(pool["norm"], x), width, 3, stride: 2, padding: 1).Flatten(2).Swap(1, 2);
        x = encoder.Stage("patch_embed", x);
        if (queries > 0) x = ValueShape.Concat(1, encoder.Weight("reg_token", 1, queries, width).Expand(x.Shape[0], queries, width), x);
        x += encoder.Weight("pos_embed", 1, 1, width);
        for (var i = 0; i < sizes.VitDepth; i++) x = encoder.Stage($"encoder_block_{i}", Block(encoder["blocks"][i], x, sizes));
        return encoder.Stage("encoder_out", encoder["norm"].LayerNorm(x, 1e-6));
    }

    /// <summary>Picture of features. x (B, queries + N, D) -> (B, 3, S, S), within -1..1.</summary>
    public static Value Decode(Scope decoder, Value x, int side, VitaminSizes sizes, int queries)
    {
        var width = sizes.EmbedDim[^1];
        for (var i = 0; i < sizes.VitDepth; i++) x = decoder.Stage($"decoder_block_{i}", Block(decoder["blocks"][i], x, sizes));
        x = decoder["norm"].LayerNorm(x.From(1, queries), 1e-6).Swap(1, 2).Reshape(x.Shape[0], width, side, side);
        x = decoder.Stage("up_conv1", Enlarge(decoder["up_conv1"], x, sizes.EmbedDim[1]));
        for (var i = 0; i < sizes.DecoderDepths[0]; i++) x = MbConv(decoder["up_conv2"][i], x, sizes.EmbedDim[1], i == 0 ? Resampling.Double : Resampling.Keep);
        x = decoder.Stage("up_conv2", x);
        for (var i = 0; i < sizes.DecoderDepths[1]; i++) x = MbConv(decoder["up_conv3"][i], x, sizes.EmbedDim[0], i == 0 ? Resampling.Double : Resampling.Keep);
        var last = decoder["up_conv4"];
        return last["conv2"].Conv(ChannelNorm(last["norm1"], Enlarge(last["conv1"], x, sizes.EmbedDim[0])).Gelu(), 3, 3, padding: 1).Clip(-1, 1);
    }

    /// <summary>Features of words (open_clip's text tower): text (B, L) -> (B, E), read at the largest id.</summary>
    public static Value EncodeText(Scope text, Value ids, UniTokConfig config)
    {
        var width = config.TextWidth;
        var x = text["token_embedding"].Embedding(ids, config.TextVocabSize, width) + text.Weight("positional_embedding", config.TextContextLength, width);
        var mask = AttentionMasks.Causal(text.Graph, x.Shape[1], x.Shape[1]);
        for (var i = 0; i < config.TextLayers; i++)
        {
            var block = text["transformer.resblocks"][i];
            x += block["attn"].MultiheadSelfAttention(block["ln_1"].LayerNorm(x), config.TextHeads, mask);
            x += block["mlp"].Mlp(block["ln_2"].LayerNorm(x), 4 * width, value => value.Gelu(), "c_fc", "c_proj");
        }

        var end = ids.ArgMax(-1).Unsqueeze(1, 2).Expand(x.Shape[0], 1, width);
        return text["ln_final"].LayerNorm(x).GatherElements(end, 1).Squeeze(1).MatMul(text.Weight("text_projection", width, config.EmbedDim));
    }

    private enum Resampling { Keep, Halve, Double }

    private static Value Block(Scope block, Value x, VitaminSizes sizes)
    {
        x += block["attn"].SelfAttention(block["norm1"].LayerNorm(x, 1e-6), sizes.NumHeads);
        return x + block["mlp"].GeGluMlp(block["norm2"].LayerNorm(x, 1e-6), 2 * x.Shape[-1].Size);
    }

    // Inverted bottleneck with channel norm: widen, depthwise 3x3, narrow.
    private static Value MbConv(Scope block, Value x, long outputs, Resampling resampling)
    {
        var hidden = MakeDivisible(4 * outputs, 8);
        var h = block["conv1_1x1"].Conv(ChannelNorm(block["pre_norm"], x), hidden, 1).Gelu();
        if (resampling == Resampling.Double) h = Enlarge(block["up"], h, hidden);
        h = block["conv2_kxk"].Conv(h, hidden, 3, stride: resampling == Resampling.Halve ? 2 : 1, padding: 1, groups: hidden).Gelu();
        h = block["conv3_1x1"].Conv(h, outputs, 1);
        var shortcut = resampling switch
        {
            Resampling.Halve => x.AveragePool(3, 2, 1, countPadding: false),
            Resampling.Double => Enlarge(block["shortcut"], x, outputs),
            _ => x,
        };
        return h + (shortcut.Shape[1] == outputs ? shortcut : block["shortcut.expand"].Conv(shortcut, outputs, 1));
    }

    private static Value Enlarge(Scope scope, Value x, long outputs) => scope["conv"].Conv(x.Upsample(2), outputs, 3, padding: 1);

    private static Value ChannelNorm(Scope scope, Value x) => scope.LayerNorm(x.ChannelsLast(), 1e-6).ChannelsFirst();

    private static long MakeDivisible(long value, long divisor)
    {
        var rounded = Math.Max(divisor, (value + divisor / 2) / divisor * divisor);
        return rounded < 0.9 * value ? rounded + divisor : rounded;
    }
}

/// <summary>UniTok: one tokenizer for drawing and for understanding, with several small codebooks.</summary>
public static class UniTokModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/unitok",
            Paper = "UniTok: A Unified Tokenizer for Visual Generation and Understanding",
            ArXiv = "2502.20321",
            Authors = ["Chuofan Ma", "Yi Jiang", "Junfeng Wu", "Jihan Yang", "Xin Yu", "Zehuan Yuan", "Bingyue Peng", "Xiaojuan Qi"],
            Repository = "FoundationVision/UniTok",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: unitok_tokenizer.pth + config.json with its args"],
            Sizes = [new("FoundationVision/unitok_tokenizer", 820_298_691, [])],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(UniTokConfig config)
    {
        Func<Scope, string, Value> pictures = (model, name) => model.Graph.Input(name, [TokenizerInputs.Batch, 3, config.ImgSize, config.ImgSize]);
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>>
            {
                ["img_to_idx"] = model =>
                {
                    var (codes, rows) = Quantize(model, pictures(model, "img"), config);
                    model.Graph.Output("codes", codes);
                    model.Graph.Output("quantized", rows);
                },
                ["idx_to_img"] = model => Decode(model, config),
                ["encode_image"] = model => ImageFeatures(model, pictures(model, "image"), config),
                ["encode_text"] = model => model.Graph.Output("text_features", UniTokNetwork.EncodeText(model["text_encoder"], model.Graph.Input("text", ElementType.Int64, [TokenizerInputs.Batch, config.TextContextLength]), config)),
            },
            Calls = new Dictionary<string, ReferenceCall>
            {
                ["encode_image"] = (networks, arguments, cancel) => FeaturesAsync(networks, "encode_image", "image_features", arguments, cancel),
                ["encode_text"] = (networks, arguments, cancel) => FeaturesAsync(networks, "encode_text", "text_features", arguments, cancel),
            },
            Preparation = ImagePreparation.SignedRange(config.ImgSize, config.ImgSize, isFixed: true),
            Layout = TokenLayout.Frames,
            VocabularySizes = [.. Enumerable.Repeat(config.VocabSize / config.NumCodebooks, config.NumCodebooks)],
            Codebooks = [.. Enumerable.Range(0, config.NumCodebooks).Select(i => $"quantizer.codebooks.{i}.codebook.weight")],
            TrainingOnly = [@"^logit_scale$", @"\.vocab_usage$", @"\.zero_k_bias$", @"attn_mask$"],
            Encode = TokenizerPlan.EncodeWith("img_to_idx", "img", "codes"),
            Decode = TokenizerPlan.DecodeWith("idx_to_img", "indices", "reconstruction"),
        };
    }

    private static (Value Codes, Value Rows) Quantize(Scope model, Value image, UniTokConfig config)
    {
        var features = UniTokNetwork.Encode(model["encoder"], image, config.Sizes, config.NumQuery);
        var latent = model.Stage("latent", Project(model["quant_proj"], features, config.VocabWidth, config));
        var (codes, rows) = (new List<Value>(), new List<Value>());
        foreach (var (chunk, i) in latent.Chunk(config.NumCodebooks, -1).Select((chunk, i) => (chunk, i)))
        {
            codes.Add(VectorQuantization.MostAlike(chunk.L2Normalize(), Table(model, i, config)));
            rows.Add(Table(model, i, config).Gather(codes[i]));
        }

        return (ValueShape.Stack(1, [.. codes]), ValueShape.Concat(-1, [.. rows]));           // (B, codebooks, N), (B, N, C)
    }

    private static void Decode(Scope model, UniTokConfig config)
    {
        var ids = model.Graph.Input("indices", ElementType.Int64, [TokenizerInputs.Batch, config.NumCodebooks, config.Tokens]);
        var rows = Enumerable.Range(0, config.NumCodebooks).Select(i => Table(model, i, config).Gather(ids.At(1, i)));
        model.Graph.Output("reconstruction", UniTokNetwork.Decode(model["decoder"], model.Stage("post_quant", Widen(model, ValueShape.Concat(-1, [.. rows]), config)), config.Side, config.Sizes, config.NumQuery));
    }

    private static void ImageFeatures(Scope model, Value image, UniTokConfig config)
    {
        var pooled = Widen(model, Quantize(model, image, config).Rows, config).Mean(1);
        model.Graph.Output("image_features", model["projection"].Linear(model["fc_norm"].LayerNorm(pooled, 1e-6), config.EmbedDim));
    }

    private static Value Widen(Scope model, Value rows, UniTokConfig config) => Project(model["post_quant_proj"], rows, config.Sizes.EmbedDim[^1], config);

    private static Value Project(Scope map, Value x, int width, UniTokConfig config) =>
        config.QuantProj == "linear" ? map.Linear(x, width) : map.AttnProjection(x, width, config.Sizes.EmbedDim[^1] / config.VocabWidth);

    private static Value Table(Scope model, int codebook, UniTokConfig config) =>
        model["quantizer.codebooks"][codebook]["codebook"].Weight("weight", config.VocabSize / config.NumCodebooks, config.VocabWidth / config.NumCodebooks).L2Normalize();

    private static async ValueTask<CallResults> FeaturesAsync(NetworkSet networks, string network, string name, CallArguments arguments, CancellationToken cancel)
    {
        var normalize = arguments.Literal("normalize", false);
        var features = (await networks.RunAsync(network, arguments, cancel).ConfigureAwait(false))[name];
        for (var row = 0; normalize && row < features.Shape[0]; row++)
        {
            var values = features.Slice(row).Span;
            var norm = 0.0;
            foreach (var value in values) norm += (double)value * value;
            foreach (ref var value in values) value = (float)(value / Math.Max(Math.Sqrt(norm), 1e-12));
        }

        return new CallResults().Add(name, features);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<UniTokConfig>("args")), copies: ["trainer.unitok"]));
}
