using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class PublishedSizesTests
{
    private static readonly string Folder = Repository.Path("tests", "ModelZoo.Plugins.ImageTokenizers.Tests", "Inventories");

    // As the authors' repositories round them: 72M and 70M (LlamaGen). GigaTok's 136M are these and the 6,820,608 of the distillation head, which only training needs.
    [Theory]
    [InlineData("titok.l-32", 641_054_735L)]
    [InlineData("titok.b-64", 204_814_095L)]
    [InlineData("titok.s-128", 83_674_639L)]
    [InlineData("ta-titok.bl-32-vq", 390_800_532L)]
    [InlineData("ta-titok.bl-32-vae", 390_202_484L)]
    [InlineData("one-d-piece.l-256", 641_742_863L)]
    [InlineData("vqgan.f16-16384", 76_073_859L)]
    [InlineData("maskbit.14bit", 54_489_489L)]
    [InlineData("llamagen-vq.ds16", 71_883_403L)]
    [InlineData("llamagen-vq.ds8", 70_109_835L)]
    [InlineData("gigatok.ss", 129_252_619L)]
    [InlineData("unitok", 463_260_611L)]
    [InlineData("dc-ae.f32c32-sana", 312_250_275L)]
    public void Inventory_PublishedSize_IsApproved(string size, long parameters)
    {
        var plan = Plan(size);
        var networks = plan.Networks.Values.Concat(plan.SizedNetworks.Values.Select(sized => (Action<Scope>)(scope => sized.Build(scope, sized.Rows, sized.Columns))));
        string[] lines = [.. networks.SelectMany(Network.Inventory).Distinct().Order(StringComparer.Ordinal)];
        Assert.Equal(parameters, ApprovedInventory.Verify("ModelZoo.Plugins.ImageTokenizers.Tests", size, lines));
    }

    // The published file of the tokenizer says codebook_size 4096 beside 14 bits; the authors' code reads the bits alone.
    [Fact]
    public void VocabularySizes_OfLookupFreeMaskBit_AreThoseOfItsBits()
    {
        Assert.Equal([1 << 14], MaskBitModel.Plan(new() { CodebookSize = 4096, TokenSize = 14 }).VocabularySizes);
        Assert.Equal([4096], MaskBitModel.Plan(new() { QuantizerType = "lookup", CodebookSize = 4096, TokenSize = 256 }).VocabularySizes);
    }

    private static TokenizerPlan Plan(string size) => size switch
    {
        "titok.l-32" => TiTokModel.Plan(new(new() { UseL2Norm = true, VitEncModelSize = "large", VitDecModelSize = "large", NumLatentTokens = 32 }, new())),
        "titok.b-64" => TiTokModel.Plan(new(new() { UseL2Norm = true, VitEncModelSize = "base", VitDecModelSize = "base", NumLatentTokens = 64 }, new())),
        "titok.s-128" => TiTokModel.Plan(new(new() { UseL2Norm = true, NumLatentTokens = 128 }, new())),
        "ta-titok.bl-32-vq" => TaTiTok(new() { CodebookSize = 8192, TokenSize = 64, VitEncModelSize = "base", VitDecModelSize = "large" }),
        "ta-titok.bl-32-vae" => TaTiTok(new() { QuantizeMode = "vae", TokenSize = 16, VitEncModelSize = "base", VitDecModelSize = "large" }),
        "one-d-piece.l-256" => OneDPieceModel.Plan(new(new() { UseL2Norm = true, VitEncModelSize = "large", VitDecModelSize = "large", NumLatentTokens = 256 }, new())),
        "vqgan.f16-16384" => VqganModel.Plan(new() { NEmbed = 16384 }),
        "maskbit.14bit" => MaskBitModel.Plan(new() { TokenSize = 14 }),
        "llamagen-vq.ds16" => LlamaGenVqModel.Plan(new()),
        "llamagen-vq.ds8" => LlamaGenVqModel.Plan(new() { EncoderChMult = [1, 2, 2, 4], DecoderChMult = [1, 2, 2, 4] }),
        "gigatok.ss" => GigaTokModel.Plan(new() { EncoderSize = "small", DecoderSize = "small", MultiLevelQueryInit = true, AdaptiveGn = true, D2sUp = true, UseAttn = false }, new()),
        "unitok" => UniTokModel.Plan(new()),
        _ => DcAeModel.Plan(new()
        {
            EncoderBlockTypes = JsonSerializer.SerializeToElement(Blocks), DecoderBlockTypes = JsonSerializer.SerializeToElement(Blocks), DownsampleBlockType = "Conv", UpsampleBlockType = "interpolate",
            DecoderNormTypes = JsonSerializer.SerializeToElement("rms_norm"), DecoderActFns = JsonSerializer.SerializeToElement("silu"),
        }),
    };

    private static readonly string[] Blocks = ["ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock", "EfficientViTBlock", "EfficientViTBlock"];

    // The text encoder stands beside the tokenizer and is not counted.
    private static TokenizerPlan TaTiTok(TiTokSizes sizes) =>
        TaTiTokModel.Plan(new(sizes, new()), CaptionReader.Clip(new() { Id = ModelId.Parse("image-tokenizers/ta-titok.published"), Folder = Folder, Services = HostServices.Instance }, sizes.TextContextLength, sizes.TextEmbedDim));
}
