using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Tests.Layers;

/// <summary>
/// Layers as they are built for a graphics card go round the engine's kernels that are wrong there. What is built is computed on the processor, and on a card where there is one, software Vulkan included (VK_ICD_FILENAMES).
/// </summary>
public class WebGpuLayersTests
{
    [Theory]
    [InlineData(1, 6, 6, 4, 4)]
    [InlineData(1, 2, 6, 4, 4)]
    [InlineData(2, 4, 10, 2, 2)]
    [InlineData(2, 5, 5, 3, 3)]
    [InlineData(1, 8, 8, 2, 1)]
    [InlineData(2, 1, 2, 6, 1)]
    [InlineData(2, 9, 8, 1, 1)]
    [InlineData(1, 6, 12, 1, 1)]
    public void Conv_OddNumbersOfChannels_GoesRoundAndEqualsTheProcessors(int dimensions, long inputs, long outputs, long groups, int convolutions)
    {
        long[] shape = [2, inputs * groups, .. new long[] { 9, 7 }.Take(dimensions)], kernels = [.. Enumerable.Repeat(3L, dimensions)];
        var weights = new TestWeights(("weight", Runtime.Numbers(2, [outputs * groups, inputs, .. kernels])), ("bias", Runtime.Numbers(3, outputs * groups)));
        var graph = Equal(scope => scope.Conv(scope.Graph.Input("x", [.. shape.Select(extent => (Dim)extent)]), outputs * groups, 3, stride: 2, padding: 1, groups: groups), weights, ("x", Runtime.Numbers(1, shape)));
        Assert.Equal(convolutions, graph.Nodes.Count(node => node.Operator == "Conv"));
        Assert.Equal(groups == 1, graph.Nodes.Any(node => node.Operator == "Pad"));
    }

    [Theory]
    [InlineData(64, 64, 1, false)]
    [InlineData(37, 37, 3, true)]
    [InlineData(40, 90, 2, false)]
    public void Attention_BeyondThirtyTwoPositions_IsWrittenOutAndEqualsTheProcessors(long queries, long keys, long heads, bool isCausal)
    {
        var graph = Equal(scope => AttentionLayers.Attention(scope.Graph.Input("q", [2, queries, heads * 16]), scope.Graph.Input("k", [2, keys, heads * 16]), scope.Graph.Input("v", [2, keys, heads * 16]), new() { Heads = heads, Causal = isCausal }),
            new(), ("q", Runtime.Numbers(1, 2, queries, heads * 16)), ("k", Runtime.Numbers(2, 2, keys, heads * 16)), ("v", Runtime.Numbers(3, 2, keys, heads * 16)));
        Assert.DoesNotContain(graph.Nodes, node => node.Operator == "MultiHeadAttention");
    }

    // The graph for a card, whose numbers are those of the graph for the processor.
    private static GraphDefinition Equal(Func<Scope, Value> build, TestWeights weights, params (string Name, Tensor Tensor)[] inputs)
    {
        var expected = Runtime.Run(build, weights, inputs);
        var graph = new Graph("card", device: Device.WebGpu);
        var scope = Scope.Root(graph, weights, new WeightRequests());
        graph.Output("y", build(scope));
        var definition = graph.Finish();
        Device[] devices = Runtime.Engine.Devices.Any(status => status.Device == Device.WebGpu && status.IsAvailable) ? [Device.Cpu, Device.WebGpu] : [Device.Cpu];
        foreach (var device in devices)
        {
            using var session = Runtime.Engine.CreateSession(definition, new() { Device = device });
            Runtime.Near(expected, session.Run(inputs.ToDictionary(input => input.Name, input => input.Tensor))["y"].As<float>());
        }

        return definition;
    }
}
