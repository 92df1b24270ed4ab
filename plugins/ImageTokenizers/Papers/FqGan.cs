// Factorized Visual Tokenization and Generation. Bai, Gao, Gao, Wang, Zhang, He, Shou. arXiv:2411.16681. github.com/showlab/FQGAN
// Published layout: *.pt (key model); sizes are arguments of the authors' class. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The arguments of the authors' class, and the sizes that their code fixes.</summary>
public sealed record FqGanConfig
{
    /// <summary>Entries of each codebook.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 16384;
    /// <summary>Width of a code.</summary>
    [Range(1, 4096)] public int CodebookEmbedDim { get; init; } = 8;
    /// <summary>Whether codes live on the unit sphere.</summary>
    public bool CodebookL2Norm { get; init; } = true;
    /// <summary>Width of each level of the encoder.</summary>
    public int[] EncoderChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Width of each level of the decoder.</summary>
    public int[] DecoderChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Channels of the latent.</summary>
    public int ZChannels { get; init; } = 256;
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 128;
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Groups of the group norms.</summary>
    public int NormGroups { get; init; } = 32;
    /// <summary>Size of the pictures: the adapters have positions.</summary>
    public int ImageSize { get; init; } = 256;
    /// <summary>Transformers between the encoder's trunk and each codebook.</summary>
    public FqGanAdapter Adapter { get; init; } = new();
    /// <summary>Branches in the order in which the authors' encode gives them: <c>sem, vis</c> of the dual model, <c>vis, sem_mid, sem_high</c> of the triple one.</summary>
    public string[] Heads { get; init; } = ["sem", "vis"];

    /// <summary>Encoder or decoder as a <c>ddconfig</c>: attention stands at the deepest level.</summary>
    public LdmAutoencoderConfig Ddconfig(int[] chMult) => new()
    {
        Ch = Ch, ChMult = chMult, NumResBlocks = NumResBlocks, NormGroups = NormGroups, ZChannels = ZChannels, Resolution = 1 << (chMult.Length - 1), AttnResolutions = [1],
    };

    /// <summary>Places along each side.</summary>
    public int Side => ImageSize >> (EncoderChMult.Length - 1);
}

/// <summary>Sizes of an adapter.</summary>
public sealed record FqGanAdapter
{
    /// <summary>Blocks.</summary>
    public int NumLayers { get; init; } = 6;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 8;
}

/// <summary>FQGAN: two small codebooks, one of meaning and one of looks, in place of a large one.</summary>
public static class FqGanModel
{
    private static readonly Dictionary<string, string> Adapters = new() { ["vis"] = "visual_head", ["sem"] = "semantic_head", ["sem_mid"] = "semantic_head_mid", ["sem_high"] = "semantic_head_high" };

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/fqgan",
            Paper = "Factorized Visual Tokenization and Generation",
            ArXiv = "2411.16681",
            Authors = ["Zechen Bai", "Jianxiong Gao", "Ziteng Gao", "Pichao Wang", "Zheng Zhang", "Tong He", "Mike Zheng Shou"],
            Repository = "showlab/FQGAN",
            CodeLicense = "CC-BY-NC-4.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: *.pt"],
            Sizes =
            [
                new("ZechenBai/FQGAN: fqgan_dual_ds16", 111_294_355, []),
                new("ZechenBai/FQGAN: fqgan_dual_ds8", 110_307_219, []),
            ],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(FqGanConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode"] = model => Encode(model, config),
            ["decode_code"] = model => Decode(model, config, [.. config.Heads.Select(head => model.CodeMap($"codes_{head}"))]),
            ["decode_codes"] = model => DecodeStacked(model, config),
        },
        Preparation = ImagePreparation.SignedRange(config.ImageSize, config.ImageSize, isFixed: true),
        VocabularySizes = [.. config.Heads.Select(_ => config.CodebookSize)],
        Codebooks = [.. config.Heads.Select(head => $"quantize_{head}.embedding.weight")],
        TrainingOnly = [@"codebook_used$", @"^(feat_pred_head|(mid|high)_sem_feat_pred)\."],
        Encode = TokenizerPlan.EncodeWith("encode", "x", "code_map"),
        Decode = TokenizerPlan.DecodeWith("decode_codes", "code_map", "reconstruction"),
    };

    private static void Encode(Scope model, FqGanConfig config)
    {
        var (encoder, ddconfig) = (model["encoder"], config.Ddconfig(config.EncoderChMult));
        var trunk = LdmAutoencoder.Trunk(encoder, model.Graph.Input("x", [TokenizerInputs.Batch, 3, config.ImageSize, config.ImageSize]), ddconfig);
        var maps = new List<Value>();
        foreach (var head in config.Heads)
        {
            var h = model.Stage($"adapter_{head}", Adapt(encoder[Adapters[head]][0], trunk, config));
            h = encoder[$"conv_out_{head}"].Conv(encoder[$"norm_out_{head}"].GroupNorm(h, config.NormGroups, 1e-6).Silu(), config.ZChannels, 3, padding: 1);
            var latent = model.Stage($"latent_{head}", model[$"quant_conv_{head}"].Conv(h, config.CodebookEmbedDim, 1));
            var (z, table) = (latent.ChannelsLast(), Table(model, head, config));
            var codes = VectorQuantization.Nearest(config.CodebookL2Norm ? z.L2Normalize() : z, table);
            model.Graph.Output($"codes_{head}", codes);
            model.Graph.Output($"quantized_{head}", table.Gather(codes).ChannelsFirst());
            maps.Add(codes);
        }

        model.Graph.Output("code_map", ValueShape.Stack(1, [.. maps]));                      // (B, branches, h, w)
    }

    private static Value Adapt(Scope adapter, Value map, FqGanConfig config)
    {
        var (width, places) = (map.Shape[1].Size, config.Side * config.Side);
        var x = adapter["ln_pre"].LayerNorm(map.Flatten(2).Swap(1, 2) + adapter.Weight("positional_embedding", places, width));
        for (var i = 0; i < config.Adapter.NumLayers; i++) x = adapter["transformer"][i].ResidualAttentionBlock(x, config.Adapter.NumHeads);
        return adapter["ln_post"].LayerNorm(x).Swap(1, 2).Reshape([.. map.Shape]);
    }

    private static void DecodeStacked(Scope model, FqGanConfig config)
    {
        var codes = model.Graph.Input("code_map", ElementType.Int64, [TokenizerInputs.Batch, config.Heads.Length, config.Side, config.Side]);
        Decode(model, config, [.. config.Heads.Select((_, branch) => codes.At(1, branch))]);
    }

    // The decoder reads looks first, whatever order the branches are given in.
    private static void Decode(Scope model, FqGanConfig config, Value[] codes)
    {
        var order = Adapters.Keys.ToList();
        var entries = config.Heads.Select((head, branch) => (Place: order.IndexOf(head), Map: Table(model, head, config).Gather(codes[branch]).ChannelsFirst())).OrderBy(entry => entry.Place).Select(entry => entry.Map);
        var h = model.Stage("post_quant", model["post_quant_conv"].Conv(ValueShape.Concat(1, [.. entries]), config.ZChannels, 1));
        model.Graph.Output("reconstruction", LdmAutoencoder.Decoder(model["decoder"], h, config.Ddconfig(config.DecoderChMult)));
    }

    private static Value Table(Scope model, string head, FqGanConfig config)
    {
        var table = model[$"quantize_{head}.embedding"].Weight("weight", config.CodebookSize, config.CodebookEmbedDim);
        return config.CodebookL2Norm ? table.L2Normalize() : table;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = source.ReadConfig<FqGanConfig>();
        if (config.Heads.FirstOrDefault(head => !Adapters.ContainsKey(head)) is { } unknown)
            throw new CheckpointException(ErrorCodes.ConfigInvalid, "The model has no such branch.") { Where = "heads", Expected = string.Join(", ", Adapters.Keys), Found = unknown };
        return ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(config), LlamaGenVq.Keys(config.DecoderChMult.Length).Apply, copies: ["model"]));
    }
}
