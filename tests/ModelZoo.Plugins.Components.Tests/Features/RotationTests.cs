using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Tests.Features;

public sealed class RotationTests
{
    // i j = k and j j = -1: the product keeps its sign, and the shorter argument is repeated.
    [Theory]
    [InlineData("quaternion_raw_multiply", new float[] { 0, 0, 0, 1, -1, 0, 0, 0 })]
    [InlineData("quaternion_multiply", new float[] { 0, 0, 0, 1, 1, 0, 0, 0 })]
    public async Task Multiply_OneQuaternionForMany_IsRepeated(string call, float[] expected)
    {
        await using var model = await new ComponentsPlugin().Architectures.Single(architecture => architecture.Card.Id == "components/rotation-conversions")
            .Open(new ModelSource { Id = new("components", "rotation-conversions"), Services = HostServices.Instance }, default);
        var results = await model.Find<IReferenceCalls>()!.CallAsync(call, new CallArguments()
            .With("a", Tensor.Create([0f, 1, 0, 0, 0, 0, 1, 0], 2, 4)).With("b", Tensor.Create([0f, 0, 1, 0], 4)));
        Assert.Equal(expected, results.Tensor("quaternion").As<float>().Span.ToArray());
    }

    // Each pair at each time: from no turn to half a turn about x, and about y.
    [Fact]
    public async Task Slerp_SeveralPairs_AreAllTurned()
    {
        await using var model = await new ComponentsPlugin().Architectures.Single(architecture => architecture.Card.Id == "components/rotation-conversions")
            .Open(new ModelSource { Id = new("components", "rotation-conversions"), Services = HostServices.Instance }, default);
        var results = await model.Find<IReferenceCalls>()!.CallAsync("qslerp", new CallArguments()
            .With("q0", Tensor.Create([1f, 0, 0, 0, 1, 0, 0, 0], 2, 4)).With("q1", Tensor.Create([0f, 1, 0, 0, 0, 0, 1, 0], 2, 4)).With("t", Tensor.Create([0f, 0.5f, 1], 3)));
        var half = (float)Math.Sqrt(0.5);
        Assert.Equal([3L, 2, 4], results.Tensor("quaternion").Shape.ToArray());
        Assert.Equal([1, 0, 0, 0, 1, 0, 0, 0, half, half, 0, 0, half, 0, half, 0, 0, 1, 0, 0, 0, 0, 1, 0], results.Tensor("quaternion").As<float>().Span.ToArray(), (a, b) => Math.Abs(a - b) < 1e-6);
    }
}
