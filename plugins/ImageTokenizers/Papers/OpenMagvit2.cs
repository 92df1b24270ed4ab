// Open-MAGVIT2: An Open-source Project Toward Democratizing Auto-Regressive Visual Generation. Luo, Shi, Ge, Yang, Wang, Shan. arXiv:2409.04410. github.com/TencentARC/SEED-Voken
// WeTok: Powerful Discrete Tokenization for High-Fidelity Visual Reconstruction. Zhuang, Guo, Fu, Huang, Tian, Wang, Zhang, Li, Wang. arXiv:2508.05599. github.com/zhuangshaobin/WeTok
// Published layout of both: config.yaml + *.ckpt (key state_dict), with moving averages. Deviations: none. WeTok groups the bits: each group is a token.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Section <c>model.init_args</c> of the published files.</summary>
public sealed record LfqTokenizerConfig
{
    /// <summary>Ids of a token.</summary>
    [Range(2, int.MaxValue)] public int NEmbed { get; init; } = 262144;
    /// <summary>Bits in all.</summary>
    [Range(1, 4096)] public int EmbedDim { get; init; } = 18;
    /// <summary>Tokens a place.</summary>
    [Range(1, 4096)] public int NumCodebooks { get; init; } = 1;
    /// <summary>Whether the file holds moving averages.</summary>
    public bool UseEma { get; init; }
    /// <summary>Whether bits are cut into tokens by <see cref="FactorizedBits"/>.</summary>
    public bool TokenFactorization { get; init; }
    /// <summary>Bits of each token, when factorized.</summary>
    public int[] FactorizedBits { get; init; } = [9, 9];
    /// <summary>Whether the decoder takes noise beside the code (WeTok's generative decoder).</summary>
    public bool GanDecoder { get; init; }
    /// <summary>Encoder and decoder.</summary>
    public LfqAutoencoderConfig Ddconfig { get; init; } = new();

    /// <summary>Bits of each token.</summary>
    public int[] Bits => TokenFactorization ? FactorizedBits : [.. Enumerable.Repeat(Ddconfig.ZChannels / NumCodebooks, NumCodebooks)];
}

/// <summary>Open-MAGVIT2: each channel of the latent is a bit.</summary>
public static class OpenMagvit2Model
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/open-magvit2",
            Paper = "Open-MAGVIT2: An Open-source Project Toward Democratizing Auto-Regressive Visual Generation",
            ArXiv = "2409.04410",
            Authors = ["Zhuoyan Luo", "Fengyuan Shi", "Yixiao Ge", "Yujiu Yang", "Limin Wang", "Ying Shan"],
            Repository = "TencentARC/SEED-Voken",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.yaml + *.ckpt"],
            Sizes =
            [
                new("TencentARC/Open-MAGVIT2-Tokenizer-128-resolution", 112_021_653, []),
                new("TencentARC/Open-MAGVIT2-Tokenizer-256-resolution", 115_127_829, []),
                new("TencentARC/Open-MAGVIT2-Tokenizer-16384-Pretrain", 115_094_033, []),
            ],
        },
        LfqTokenizer.OpenAsync);
}

/// <summary>WeTok: bits in groups, each a token.</summary>
public static class WeTokModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/wetok",
            Paper = "WeTok: Powerful Discrete Tokenization for High-Fidelity Visual Reconstruction",
            ArXiv = "2508.05599",
            Authors = ["Shaobin Zhuang", "Yiwei Guo", "Canmiao Fu", "Zhipeng Huang", "Zeyue Tian", "Fangyikang Wang", "Ying Zhang", "Chen Li", "Yali Wang"],
            Repository = "zhuangshaobin/WeTok",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.yaml + *.ckpt"],
            Sizes =
            [
                new("GrayShine/WeTok: ImageNet_downsample16", 460_294_179, []),
                new("GrayShine/WeTok: ImageNet_downsample8", 447_881_507, []),
                new("GrayShine/WeTok: GeneralDomain_compratio24", 448_405_827, []),
                new("GrayShine/WeTok: GeneralDomain_compratio48", 447_881_507, []),
                new("GrayShine/WeTok: GeneralDomain_compratio192", 460_294_179, []),
                new("GrayShine/WeTok: GeneralDomain_compratio768", 1_673_089_059, []),
            ],
        },
        LfqTokenizer.OpenAsync);
}

internal static class LfqTokenizer
{
    public static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<LfqTokenizerConfig>("model.init_args")), checkpoint => new EmaWeights(checkpoint), copies: ["state_dict"]));

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(LfqTokenizerConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode"] = model => Encode(model, config),
            ["decode"] = model => Decode(model, config, model.Latents("quant", config.Ddconfig.ZChannels)),
            ["decode_codes"] = model => DecodeCodes(model, config),
        },
        Preparation = ImagePreparation.SignedRange(config.Ddconfig.Resolution, 1 << (config.Ddconfig.ChMult.Length - 1)),
        VocabularySizes = [.. config.Bits.Select(bits => 1 << bits)],
        TrainingOnly = [@"^loss\.", "^global_step$", @"^quantize\.", EmaWeights.Counters],
        Encode = TokenizerPlan.EncodeWith("encode", "x", "code_map"),
        Decode = async (networks, codes, options, cancel) =>
        {
            (string, Tensor)[] inputs = config.GanDecoder ? [("code_map", codes), ("noise", Normals(options.Seed, codes.Shape, config))] : [("code_map", codes)];
            return (await networks.RunAsync("decode_codes", cancel, inputs).ConfigureAwait(false))["reconstruction"];
        },
    };

    private static void Encode(Scope model, LfqTokenizerConfig config)
    {
        var latent = model.Stage("latent", LfqAutoencoder.Encoder(model["encoder"], model.Pictures("x", config.Ddconfig.InChannels), config.Ddconfig));
        var signs = LookupFree.Signs(latent);
        var codes = ValueShape.Stack(1, [.. signs.ChannelsLast().Split(-1, [.. config.Bits.Select(bits => (long)bits)]).Select(group => LookupFree.Ids(group))]);   // (B, groups, h, w)
        model.Graph.Output("quantized", signs);
        model.Graph.Output("codes", codes.Flatten(2).Swap(1, 2));
        model.Graph.Output("code_map", codes);
    }

    private static void DecodeCodes(Scope model, LfqTokenizerConfig config)
    {
        var codes = model.Graph.Input("code_map", ElementType.Int64, [TokenizerInputs.Batch, config.Bits.Length, Dim.Symbol("rows"), Dim.Symbol("columns")]);
        Decode(model, config, ValueShape.Concat(-1, [.. config.Bits.Select((bits, group) => LookupFree.SignsOf(codes.At(1, group), bits))]).ChannelsFirst());
    }

    private static void Decode(Scope model, LfqTokenizerConfig config, Value quantized) =>
        model.Graph.Output("reconstruction", LfqAutoencoder.Decoder(model["decoder"], quantized, config.Ddconfig, config.GanDecoder ? model.Graph.Input("noise", quantized.Shape) : null));

    private static Tensor<float> Normals(ulong seed, ReadOnlySpan<long> codes, LfqTokenizerConfig config) => Noise.Normal(seed, codes[0], config.Ddconfig.ZChannels, codes[2], codes[3]);
}
