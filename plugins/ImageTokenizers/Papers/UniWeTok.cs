// UniWeTok: An Unified Binary Tokenizer with Codebook Size 2^128 for Unified Multimodal Large Language Model. Zhuang, Ai, Han et al. arXiv:2602.14178. github.com/shallowdream204/BitDance (modeling/vision_encoder)
// Published layout: model.ckpt (key state_dict), with moving averages; sizes as config.json. Deviations: the verbs give the decoder seeded noise.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The authors' configuration.</summary>
public sealed record UniWeTokConfig
{
    /// <summary>Encoder and decoder.</summary>
    public UniWeTokSizes Ddconfig { get; init; } = new();
    /// <summary>Whether the decoder reads noise beside the code.</summary>
    public bool GanDecoder { get; init; } = true;
}

/// <summary>Sizes of encoder and decoder.</summary>
public sealed record UniWeTokSizes
{
    /// <summary>Bits a place.</summary>
    public int ZChannels { get; init; } = 128;
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 256;
    /// <summary>Width of each level.</summary>
    public int[] ChMult { get; init; } = [1, 1, 2, 2, 4, 8];
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 4;
    /// <summary>Attention blocks in the middle.</summary>
    public int AttnBlocks { get; init; } = 1;
    /// <summary>Heads.</summary>
    public int NHeads { get; init; } = 8;
    /// <summary>Size of the pictures: positions span its grid.</summary>
    public int Resolution { get; init; } = 256;
    /// <summary>Groups of the group norms: 32 in the authors' code.</summary>
    public int NormGroups { get; init; } = 32;

    /// <summary>The same for the parts that it shares with Open-MAGVIT2.</summary>
    internal LfqAutoencoderConfig Lfq => new() { ZChannels = ZChannels, Ch = Ch, ChMult = ChMult, NumResBlocks = NumResBlocks, Resolution = Resolution, NormGroups = NormGroups };
}

/// <summary>UniWeTok: 128 bits a place, in one code.</summary>
public static class UniWeTokModel
{
    private const int Registers = 4;

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/uniwetok",
            Paper = "UniWeTok: An Unified Binary Tokenizer with Codebook Size 2^128 for Unified Multimodal Large Language Model",
            ArXiv = "2602.14178",
            Authors = ["Shaobin Zhuang", "Yuang Ai", "Jiaming Han", "Weijia Mao", "Xiaohui Li", "Fangyikang Wang", "Xiao Wang", "Yan Li", "Shanchuan Lin", "Kun Xu", "Zhenheng Yang", "Huaibo Huang", "Xiangyu Yue", "Hao Chen", "Yali Wang"],
            Repository = "shallowdream204/BitDance",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: model.ckpt + config.json"],
            Sizes = [new("shallowdream204/BitDance: UniWeTok", 1_513_817_475, [])],
            Deviations = "The verbs give the decoder seeded noise.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(UniWeTokConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>> { ["encode"] = model => Encode(model, config.Ddconfig), ["decode"] = model => Decode(model, config) },
        Preparation = ImagePreparation.SignedRange(config.Ddconfig.Resolution, 1 << (config.Ddconfig.ChMult.Length - 1)),
        VocabularySizes = [.. Enumerable.Repeat(2, config.Ddconfig.ZChannels)],
        TrainingOnly = [@"^loss\.", "^global_step$", EmaWeights.Counters],
        Encode = TokenizerPlan.EncodeWith("encode", "x", "bits"),
        Decode = async (networks, bits, options, cancel) =>
        {
            var signs = Tensor.Zeros<float>(bits.Shape);
            for (var i = 0; i < signs.Length; i++) signs.Span[i] = 2 * bits.As<long>().Span[i] - 1;
            (string, Tensor)[] inputs = config.GanDecoder ? [("quant", signs), ("noise", Noise.Normal(options.Seed, bits.Shape))] : [("quant", signs)];
            return (await networks.RunAsync("decode", cancel, inputs).ConfigureAwait(false))["reconstruction"];
        },
    };

    private static void Encode(Scope model, UniWeTokSizes sizes)
    {
        var (encoder, lfq) = (model["encoder"], sizes.Lfq);
        var h = encoder.Stage("conv_in", encoder["conv_in"].Conv(model.Pictures("x"), sizes.Ch, 3, padding: 1, bias: false));
        for (var level = 0; level < sizes.ChMult.Length; level++)
        {
            var down = encoder["down"][level];
            for (var i = 0; i < sizes.NumResBlocks; i++) h = LfqAutoencoder.ResBlock(down["block"][i], h, h.Shape[1].Size, lfq);
            if (level < sizes.ChMult.Length - 1) h = down["downsample"].Conv(h, sizes.Ch * sizes.ChMult[level + 1], 3, stride: 2, padding: 1);
        }

        h = Attend(encoder, h, sizes, "mid_attn", (place, count, side) => place * (side - 1) / (count - 1) + 0.5);
        var before = model.Stage("pre_activation", encoder["conv_out"].Conv(encoder["norm_out"].GroupNorm(h, sizes.NormGroups, 1e-6), sizes.ZChannels, 1));
        var latent = model.Stage("latent", before.Sigmoid() * 2 - 1);
        var signs = LookupFree.Signs(latent);
        model.Graph.Output("quantized", signs);
        model.Graph.Output("bits", signs.Greater(signs.Graph.Scalar(ElementType.Float32, 0)).Cast(ElementType.Int64));
    }

    private static void Decode(Scope model, UniWeTokConfig config)
    {
        var (decoder, sizes) = (model["decoder"], config.Ddconfig);
        var code = model.Latents("quant", sizes.ZChannels);
        var z = config.GanDecoder ? ValueShape.Concat(1, code, model.Graph.Input("noise", code.Shape)) : code;
        var h = decoder["conv_in"].Conv(z, sizes.Ch * sizes.ChMult[^1], 3, padding: 1);
        h = Attend(decoder, h, sizes, "decoder_attn", (place, count, side) => (place + 0.5) * (side - 0.5) / (count - 0.5));
        model.Graph.Output("reconstruction", LfqAutoencoder.DecodeFrom(decoder, h, code, sizes.Lfq));
    }

    // Register tokens and places look at each other, under rotary positions of column and row.
    private static Value Attend(Scope scope, Value map, UniWeTokSizes sizes, string stage, Func<Value, Value, double, Value> coordinate)
    {
        var (width, heads) = (map.Shape[1].Size, sizes.NHeads);
        var registers = scope["register_token"].Weight("weight", Registers, width).Unsqueeze(0).Expand(map.Shape[0], Registers, width);
        var x = ValueShape.Concat(1, registers, map.Flatten(2).Swap(1, 2));
        var (cos, sin) = Angles(map, sizes, coordinate);
        for (var i = 0; i < sizes.AttnBlocks; i++)
        {
            var block = scope["mid_attn_blocks"][i];
            var (q, k, v) = block["attention.wqkv"].Qkv(block["attention_norm"].RmsNorm(x), width, bias: false);
            var seen = AttentionLayers.Attention(q.Rotary(heads, cos, sin, interleaved: true), k.Rotary(heads, cos, sin, interleaved: true), v, new() { Heads = heads });
            x += block["attention.wo"].Linear(seen, width, bias: false);
            var hidden = (2 * 4 * width / 3 + 255) / 256 * 256;
            var (gate, up) = block["feed_forward.w1"].Linear(block["ffn_norm"].RmsNorm(x), 2 * hidden, bias: false).Chunk2();
            x = scope.Stage($"{stage}_{i}", x + block["feed_forward.w2"].Linear(gate.Silu() * up, width, bias: false));
        }

        return x.From(1, Registers).Swap(1, 2).Reshape([.. map.Shape]);
    }

    // Half of the pairs turn by the column, half by the row; places are rescaled to the trained grid and count from one, registers stand at zero.
    private static (Value Cos, Value Sin) Angles(Value map, UniWeTokSizes sizes, Func<Value, Value, double, Value> coordinate)
    {
        var g = map.Graph;
        var quarter = (int)(map.Shape[1].Size / sizes.NHeads / 4);
        var frequencies = g.Constant<float>([.. Enumerable.Range(0, quarter).Select(i => (float)Math.Pow(10000, -(double)i / quarter))], 1, quarter);
        var side = (double)(sizes.Resolution >> (sizes.ChMult.Length - 1));
        Value Axis(Dim count) => (coordinate(AttentionLayers.Range(g, count).Cast(ElementType.Float32), g.Extent(count).Cast(ElementType.Float32), side) + 1).Reshape(-1, 1) * frequencies;
        var (rows, columns) = (map.Shape[2], map.Shape[3]);
        var x = Axis(columns).Unsqueeze(0).Expand(rows, columns, quarter).Reshape(rows * columns, quarter);
        var y = Axis(rows).Unsqueeze(1).Expand(rows, columns, quarter).Reshape(rows * columns, quarter);
        var angles = ValueShape.Concat(0, g.Constant<float>(new float[Registers * 2 * quarter], Registers, 2 * quarter), ValueShape.Concat(1, x, y));
        return (angles.Cos(), angles.Sin());
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<UniWeTokConfig>()), checkpoint => new EmaWeights(checkpoint), copies: ["state_dict"]));
}
