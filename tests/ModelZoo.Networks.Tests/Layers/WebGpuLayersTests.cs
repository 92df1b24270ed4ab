using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Tests.Layers;

/// <summary>
/// Layers as they are built for a graphics card, where the engine's kernels for it are avoided. They run on one where there is one, software Vulkan included (VK_ICD_FILENAMES), and on the processor where there is none.
/// </summary>
public class WebGpuLayersTests
{
    [Theory]
    [InlineData(1, 6, 6, 4)]
    [InlineData(1, 2, 6, 4)]
    [InlineData(2, 4, 10, 2)]
    [InlineData(2, 5, 5, 3)]
    [InlineData(1, 8, 8, 2)]
    [InlineData(2, 1, 2, 6)]
    [InlineData(2, 9, 8, 1)]
    [InlineData(1, 6, 12, 1)]
    public void Conv_OddNumbersOfChannels_EqualsTheProcessors(int dimensions, long inputs, long outputs, long groups)
    {
        long[] shape = [2, inputs * groups, .. new long[] { 9, 7 }.Take(dimensions)], kernels = [.. Enumerable.Repeat(3L, dimensions)];
        var weights = new TestWeights(("weight", Runtime.Numbers(2, [outputs * groups, inputs, .. kernels])), ("bias", Runtime.Numbers(3, outputs * groups)));
        Equal(scope => scope.Conv(scope.Graph.Input("x", [.. shape.Select(extent => (Dim)extent)]), outputs * groups, 3, stride: 2, padding: 1, groups: groups), weights, ("x", Runtime.Numbers(1, shape)));
    }

    [Theory]
    [InlineData(64, 64, 1, false)]
    [InlineData(37, 37, 3, true)]
    [InlineData(40, 90, 2, false)]
    public void Attention_BeyondThirtyTwoPositions_EqualsTheProcessors(long queries, long keys, long heads, bool isCausal) =>
        Equal(scope => AttentionLayers.Attention(scope.Graph.Input("q", [2, queries, heads * 16]), scope.Graph.Input("k", [2, keys, heads * 16]), scope.Graph.Input("v", [2, keys, heads * 16]), new() { Heads = heads, Causal = isCausal }),
            new(), ("q", Runtime.Numbers(1, 2, queries, heads * 16)), ("k", Runtime.Numbers(2, 2, keys, heads * 16)), ("v", Runtime.Numbers(3, 2, keys, heads * 16)));

    private static void Equal(Func<Scope, Value> build, TestWeights weights, params (string, Tensor)[] inputs)
    {
        using var network = Network.Build(new(Runtime.Engine, weights) { Session = new() { Device = Device.WebGpu, AllowCpuFallback = true } }, "card", scope => scope.Graph.Output("y", build(scope)));
        Runtime.Near(Runtime.Run(build, weights, inputs), network.Run(default, inputs)["y"]);
    }
}
