using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Checkpoints;

public sealed class KeyMapTests
{
    private static readonly KeyMap Map = new((@"^module\.", ""), (@"^encoder\.(\d+)\.", "encoder.blocks.$1."), (@"num_batches_tracked$", null));

    [Theory]
    [InlineData("module.encoder.3.attn.weight", "encoder.blocks.3.attn.weight")]
    [InlineData("decoder.weight", "decoder.weight")]
    [InlineData("module.bn.num_batches_tracked", null)]
    public void Rename_RulesInOrder_EachOnWhatTheLastLeft(string published, string? asked) => Assert.Equal(asked, Map.Rename(published));

    [Theory]
    [InlineData("conv.parametrizations.weight.original0", "conv.weight_g")]
    [InlineData("conv.parametrizations.weight.original1", "conv.weight_v")]
    [InlineData("conv.weight_g", "conv.weight_g")]
    public void WeightNorm_NewNames_BecomeTheOldOnes(string published, string asked) => Assert.Equal(asked, KeyMap.WeightNorm.Rename(published));

    [Fact]
    public void Apply_RenamedSource_FindsAndTracksPublishedTensors()
    {
        using var file = TemporaryCheckpoint.Of(("module.a", [1f, 2]), ("module.b", [3f]), ("bn.num_batches_tracked", [4f]));
        var renamed = Map.Apply(file.Checkpoint);

        Assert.Equal(["a", "b"], renamed.Tensors.Select(t => t.Name).Order());
        Assert.Equal([1f, 2], renamed.Find("a")!.Span<float>().ToArray());
        Assert.Null(renamed.Find("module.a"));
        Assert.Equal(["module.b"], renamed.Unused);
        Assert.Same(renamed.Derive("k", () => renamed.Find("a")!), renamed.Derive("k", () => throw new InvalidOperationException()));
    }

    [Fact]
    public void Apply_TwoNamesThatBecomeOne_AreBothNamed()
    {
        using var file = TemporaryCheckpoint.Of(("module.a", [1f]), ("a", [2f]));

        var error = Assert.Throws<CheckpointException>(() => Map.Apply(file.Checkpoint));

        Assert.Contains("module.a", error.Found);
    }
}
