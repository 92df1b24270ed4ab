// Instella-T2I: Pushing the Limits of 1D Discrete Latent Space Image Generation. Wang et al. arXiv:2506.21022. github.com/AMD-AIG-AIMA/Instella-T2I (bae)
// Published layout: config.json + model.safetensors. Deviations: none. Tokens are (tokens, bits), each bit an id.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The published <c>config.json</c>.</summary>
public sealed record InstellaConfig
{
    /// <summary>Channels of the picture.</summary>
    public int InChannels { get; init; } = 3;
    /// <summary>Blocks of the encoder.</summary>
    public int EncoderLayers { get; init; } = 12;
    /// <summary>Width of a head of the encoder.</summary>
    public int EncoderHeadDim { get; init; } = 64;
    /// <summary>Heads of the encoder.</summary>
    public int EncoderNumHeads { get; init; } = 16;
    /// <summary>Pixels a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 16;
    /// <summary>Widths of a head's parts that turn by token, row and column.</summary>
    public int[] AxesDimsRope { get; init; } = [16, 24, 24];
    /// <summary>Blocks after which the encoder halves its map.</summary>
    public int[] DownsampleIdx { get; init; } = [];
    /// <summary>Blocks of the decoder.</summary>
    public int DecoderLayers { get; init; } = 12;
    /// <summary>Width of a head of the decoder.</summary>
    public int DecoderHeadDim { get; init; } = 64;
    /// <summary>Heads of the decoder.</summary>
    public int DecoderNumHeads { get; init; } = 16;
    /// <summary>Blocks after which the decoder doubles its map.</summary>
    public int[] UpsampleIdx { get; init; } = [];
    /// <summary>Tokens a picture.</summary>
    public int NumLatentTkns { get; init; } = 128;
    /// <summary>Bits a token.</summary>
    public int CodebookSize { get; init; } = 64;
    /// <summary>Size of the pictures that positions are scaled to; null keeps plain indices.</summary>
    public int? BaeScale { get; init; }

    /// <summary>Width of the encoder.</summary>
    public int EncoderWidth => EncoderHeadDim * EncoderNumHeads;
    /// <summary>Width of the decoder.</summary>
    public int DecoderWidth => DecoderHeadDim * DecoderNumHeads;
}

/// <summary>Instella's tokenizer: a picture as a sequence of binary vectors.</summary>
public static class InstellaModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/instella-t2i",
            Paper = "Instella-T2I: Pushing the Limits of 1D Discrete Latent Space Image Generation",
            ArXiv = "2506.21022",
            Authors = ["Ze Wang", "Hao Chen", "Benran Hu", "Jiang Liu", "Ximeng Sun", "Jialian Wu", "Yusheng Su", "Xiaodong Yu", "Emad Barsoum", "Zicheng Liu"],
            Repository = "AMD-AIG-AIMA/Instella-T2I",
            CodeLicense = "ResearchRAIL-MS",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors"],
            Sizes = [new("amd/Instella-T2I: bae", 427_754_560, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(InstellaConfig config)
    {
        var size = config.BaeScale ?? 256;
        var coarse = size / config.PatchSize >> config.UpsampleIdx.Length;
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>> { ["encode"] = model => Encode(model, config), ["decode"] = model => Decode(model, config) },
            Calls = new Dictionary<string, ReferenceCall>
            {
                ["decode"] = async (networks, arguments, cancel) =>
                {
                    var canvas = Tensor.Zeros<float>(arguments.Literal<int>("H") >> config.UpsampleIdx.Length, arguments.Literal<int>("W") >> config.UpsampleIdx.Length);
                    return (await networks.RunAsync("decode", cancel, ("codes", arguments.Tensor("codes")), ("canvas", canvas)).ConfigureAwait(false)).ToResults();
                },
            },
            Preparation = ImagePreparation.SignedRange(size, size, isFixed: true),
            Layout = TokenLayout.Frames,
            VocabularySizes = [.. Enumerable.Repeat(2, config.CodebookSize)],
            TrainingOnly = [@"^decoder\.repa_proj\."],
            Encode = TokenizerPlan.EncodeWith("encode", "image", "codes"),
            Decode = async (networks, codes, _, cancel) => (await networks.RunAsync("decode", cancel, ("codes", codes), ("canvas", Tensor.Zeros<float>(coarse, coarse))).ConfigureAwait(false))["reconstruction"],
        };
    }

    private static void Encode(Scope model, InstellaConfig config)
    {
        var (g, encoder, width) = (model.Graph, model["encoder"], config.EncoderWidth);
        // Sides are multiples of what all levels together halve.
        var multiple = config.PatchSize << config.DownsampleIdx.Length;
        var image = g.Input("image", [TokenizerInputs.Batch, config.InChannels, Dim.Symbol("rows") * multiple, Dim.Symbol("columns") * multiple]);
        var map = encoder.Stage("patch_embed", encoder["patch_embedder"].Conv(image, width, config.PatchSize, stride: config.PatchSize));
        var (count, scale) = (config.NumLatentTkns, (double?)config.BaeScale / config.PatchSize);
        var (latents, rows, columns) = (encoder.Weight("latent_tokens", 1, count, width).Expand(image.Shape[0], count, width), map.Shape[2], map.Shape[3]);
        var x = ValueShape.Concat(1, latents, map.Flatten(2).Swap(1, 2));
        for (var i = 0; i < config.EncoderLayers; i++)
        {
            x = encoder.Stage($"encoder_block_{i}", Block(encoder["transformer_blocks"][i], x, Angles(g, count, rows, columns, scale, config), config.EncoderNumHeads, config.EncoderHeadDim));
            var down = Array.IndexOf(config.DownsampleIdx, i);
            if (down < 0) continue;
            map = Halve(encoder["down_layers"][down], x.From(1, count).Swap(1, 2).Reshape(image.Shape[0], width, rows, columns));
            (rows, columns, scale) = (map.Shape[2], map.Shape[3], Floor(scale / 2));
            x = ValueShape.Concat(1, x.Take(1, count), encoder.Stage($"down_{down}", map.Flatten(2).Swap(1, 2)));
        }

        x = encoder.Stage("encoder", encoder["proj_out"].Linear(encoder["norm_out"].RmsNorm(x.Take(1, count)), width));
        var logits = model.Stage("logits", model["quantizer.proj.0"].Linear(x, config.CodebookSize));
        var bits = logits.Sigmoid().Greater(g.Scalar(ElementType.Float32, 0.5));
        g.Output("quantized", Entries(model, bits, config));
        g.Output("codes", bits.Cast(ElementType.Int64));
    }

    private static Value Entries(Scope model, Value bits, InstellaConfig config) => bits.Cast(ElementType.Float32).MatMul(model["quantizer"].Weight("embed", config.CodebookSize, config.EncoderWidth));

    // The shape of canvas (rows, columns) says how large a map the decoder starts from.
    private static void Decode(Scope model, InstellaConfig config)
    {
        var (g, decoder, width, count) = (model.Graph, model["decoder"], config.DecoderWidth, config.NumLatentTkns);
        var codes = g.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, count, config.CodebookSize]);
        var canvas = g.Input("canvas", [Dim.Symbol("rows"), Dim.Symbol("columns")]);
        var (rows, columns, scale) = (canvas.Shape[0], canvas.Shape[1], (double?)config.BaeScale / config.PatchSize);
        if (config.UpsampleIdx.Length > 0) scale = Floor(scale / (1 << config.UpsampleIdx.Length));
        var tokens = decoder["input_layer.1"].Linear(decoder["input_layer.0"].RmsNorm(Entries(model, codes, config)), width);
        var x = ValueShape.Concat(1, tokens, decoder.Weight("mask_tokens", 1, 1, width).Expand(codes.Shape[0], rows * columns, width));
        for (var i = 0; i < config.DecoderLayers; i++)
        {
            x = decoder.Stage($"decoder_block_{i}", Block(decoder["transformer_blocks"][i], x, Angles(g, count, rows, columns, scale, config), config.DecoderNumHeads, config.DecoderHeadDim));
            var up = Array.IndexOf(config.UpsampleIdx, i);
            if (up < 0) continue;
            var map = Double(decoder["up_layers"][up], x.From(1, count).Swap(1, 2).Reshape(codes.Shape[0], width, rows, columns));
            (rows, columns, scale) = (map.Shape[2], map.Shape[3], scale * 2);
            x = ValueShape.Concat(1, x.Take(1, count), decoder.Stage($"up_{up}", map.Flatten(2).Swap(1, 2)));
        }

        var pixels = model.Stage("to_pixel", model["to_pixel"].Linear(decoder["norm_out"].RmsNorm(x.From(1, count)), config.InChannels * config.PatchSize * config.PatchSize));
        g.Output("reconstruction", pixels.Unpatchify(config.PatchSize, rows, columns, config.InChannels));
    }

    private static Value Block(Scope block, Value x, (Value Cos, Value Sin) angles, int heads, int headWidth)
    {
        var (attention, width, normed) = (block["attn"], heads * headWidth, block["input_layernorm"].RmsNorm(x));
        Value Turned(string map, string norm)
        {
            var split = attention[norm].RmsNorm(attention[map].Linear(normed, width, bias: false).Reshape(x.Shape[0], x.Shape[1], heads, headWidth));
            var (a, b) = split.Chunk2();
            return (split * angles.Cos + ValueShape.Concat(-1, -b, a) * angles.Sin).Flatten(2);
        }

        x += attention["o_proj"].Linear(AttentionLayers.Attention(Turned("q_proj", "norm_q"), Turned("k_proj", "norm_k"), attention["v_proj"].Linear(normed, width, bias: false), new() { Heads = heads }), width, bias: false);
        var (mlp, second) = (block["mlp"], block["post_attention_layernorm"].RmsNorm(x));
        return x + mlp["down_proj"].Linear(mlp["gate_proj"].Linear(second, 4 * width, bias: false).Silu() * mlp["up_proj"].Linear(second, 4 * width, bias: false), width, bias: false);
    }

    // As published: the table repeats each frequency for neighbours, the rotation pairs halves. Latent token i stands at (i, 0, 0), a place at (0, row, column). -> (tokens, 1, W)
    private static (Value Cos, Value Sin) Angles(Graph g, int latents, Dim rows, Dim columns, double? scale, InstellaConfig config)
    {
        Value Places(Dim count)
        {
            var index = AttentionLayers.Range(g, count).Cast(ElementType.Float32);
            return scale is { } side ? index / (g.Extent(count) - 1).Cast(ElementType.Float32) * (side - 1) : index;
        }

        Value Turn(Value place, int width) => place.Reshape(-1, 1) * g.Constant<float>([.. Enumerable.Range(0, width).Select(i => (float)Math.Pow(10000, -(double)(i / 2 * 2) / width))], 1, width);
        var (axes, total) = (config.AxesDimsRope, config.AxesDimsRope.Sum());
        var tokens = ValueShape.Concat(1, Turn(AttentionLayers.Range(g, latents).Cast(ElementType.Float32), axes[0]), g.Constant<float>(new float[latents * (total - axes[0])], latents, total - axes[0]));
        var row = Turn(Places(rows), axes[1]).Unsqueeze(1).Expand(rows, columns, axes[1]);
        var column = Turn(Places(columns), axes[2]).Unsqueeze(0).Expand(rows, columns, axes[2]);
        var nothing = g.Constant<float>(new float[axes[0]], 1, 1, axes[0]).Expand(rows, columns, axes[0]);
        var angles = ValueShape.Concat(0, tokens, ValueShape.Concat(-1, nothing, row, column).Reshape(rows * columns, total)).Unsqueeze(1);
        return (angles.Cos(), angles.Sin());
    }

    private static double? Floor(double? scale) => scale is { } value ? Math.Floor(value) : null;

    private static Value Halve(Scope down, Value x)
    {
        var width = x.Shape[1].Size;
        var folded = x.PixelUnshuffle(2);
        return down["conv"].Conv(x, width, 3, stride: 2, padding: 1) + folded.Reshape(x.Shape[0], width, 4, folded.Shape[2], folded.Shape[3]).Mean(2);
    }

    private static Value Double(Scope up, Value x) => up["conv"].Conv(x, 4 * x.Shape[1].Size, 3, padding: 1).PixelShuffle(2) + x.RepeatInterleave(1, 4).PixelShuffle(2);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<InstellaConfig>())));
}
