using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

public class CompanionTests
{
    [Fact]
    public async Task Tokenize_WithoutTheFrozenEncoder_SaysWhatToPutWhere()
    {
        var source = new ModelSource
        {
            Id = ModelId.Parse("image-tokenizers/hita.tiny"), Folder = Repository.Path("tests", "parity", "image-tokenizers", "hita", "tiny", "checkpoint"), Parts = [new("hita.pt", "ema")], Services = HostServices.Instance,
        };
        await using var model = await HitaModel.Architecture.Open(source, default);
        var error = await Assert.ThrowsAsync<CheckpointException>(async () => await model.Get<ITokenize>().TokenizeAsync(new Image(Tensor.Zeros<float>(3, 8, 8)), new ImageTokenizerOptions()));
        Assert.Equal(ErrorCodes.CheckpointMissing, error.Code);
        Assert.EndsWith("dinov2_vitl14_reg4_pretrain.pth", error.Where, StringComparison.Ordinal);
        Assert.Contains("Put it at", error.Remedy, StringComparison.Ordinal);
    }
}
