using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Graphs;

public class NetworkTests
{
    private static readonly Dim B = Dim.Symbol("b"), N = Dim.Symbol("n"), M = Dim.Symbol("m");

    [Theory]
    [InlineData(3, 5)]
    [InlineData(5, 3)]
    public void Run_TwoTextsOfOtherLengths_ReadEachOther(long n, long m)
    {
        const long batch = 2, width = 16;
        var options = new AttentionOptions { Heads = 2 };
        Value Build(Value x, Value y)
        {
            for (var i = 0; i < 2; i++) (x, y) = (x + AttentionLayers.Attention(x, x, x, options), y + AttentionLayers.Attention(y, y, y, options));
            return x + AttentionLayers.Attention(x, y, y, options);
        }

        var (first, second) = (Runtime.Numbers(1, batch, n, width), Runtime.Numbers(2, batch, m, width));

        Runtime.Near(Runtime.Run(g => Build(g.Input("first", [batch, n, width]), g.Input("second", [batch, m, width])), ("first", first), ("second", second)),
            Runtime.Run(g => Build(g.Input("first", [B, N, width]), g.Input("second", [B, M, width])), ("first", first), ("second", second)));
    }

    /// <summary>Layers differ by device: with <c>auto</c> they are those of the one that is chosen.</summary>
    [Theory]
    [InlineData("auto", false)]
    [InlineData("webgpu:7", true)]
    public void Build_DeviceThatIsChosenLater_IsThatOfTheLayers(string asked, bool fallback)
    {
        Inference.Device? built = null;
        using var network = Network.Build(new(Runtime.Engine, new TestWeights()) { Session = new() { Device = Inference.Device.Parse(asked), AllowCpuFallback = fallback } }, "chosen", scope =>
        {
            built = scope.Graph.Device;
            scope.Graph.Output("y", scope.Graph.Input("x", [2]) * 2);
        });
        Assert.Equal(Runtime.Engine.Resolve(Inference.Device.Parse(asked), fallback), built);
        Assert.Equal(built, network.Session.Device);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(7)]
    public void Run_WithStages_HoldsShapesAgainstWhatTheGraphDeclares(long length)
    {
        using var network = Build(x => x.With(1, x[1] * 2));

        var outputs = network.Run(default, ("x", Runtime.Numbers(1, 2, 2 * length + 1, 3)));

        Assert.Equal([2, 4 * length + 2, 3], outputs["stage"].Shape.ToArray());
    }

    [Fact]
    public void Run_WithStages_RefusesAShapeThatTheGraphDeclaresWrongly()
    {
        using var network = Build(x => x.With(1, x[1] + 3));

        var error = Assert.Throws<GraphException>(() => network.Run(default, ("x", Runtime.Numbers(1, 2, 5, 3))));

        Assert.Equal(("test: stage", "[b, 2*n + 4, 3] = [2, 8, 3]", "[2, 10, 3]"), (error.Where, error.Expected, error.Found));
    }

    // One input of an odd length, 2 n + 1; twice the input is declared as what it is given.
    private static Network Build(Func<Shape, Shape> declared) => Network.Build(new(Runtime.Engine, new TestWeights()) { Stages = true }, "test", scope =>
    {
        var x = scope.Graph.Input("x", [B, N * 2 + 1, 3]);
        scope.Graph.Output("sum", scope.Stage("stage", scope.Node("Concat", [x, x], declared(x.Shape), ("axis", 1L))).Sum(1));
    });

    [Fact]
    public void MultiplyAdds_LayersOfEachKind_AreCountedByHand()
    {
        long Count(Func<Scope, Value> build) => Network.MultiplyAdds(scope => scope.Graph.Output("y", build(scope)));

        Assert.Equal(2 * 5 * 3 * 7, Count(s => s["map"].Linear(s.Graph.Input("x", [2, 5, 3]), 7)));
        Assert.Equal(4 * 6 * 8 * 8 * (2 * 3 * 3), Count(s => s["conv"].Conv(s.Graph.Input("x", [4, 4, 8, 8]), 6, 3, padding: 1, groups: 2)));
        Assert.Equal(2 * 5 * 9 * (8 + 8), Count(s => AttentionLayers.Attention(s.Graph.Input("q", [2, 5, 8]), s.Graph.Input("k", [2, 9, 8]), s.Graph.Input("v", [2, 9, 8]), new() { Heads = 2 })));
        Assert.Equal(0, Count(s => s.Graph.Input("x", [2, 5, 3]).Softmax()));
    }

    [Fact]
    public void MultiplyAdds_UnknownExtent_IsRefused() =>
        Assert.Throws<InvalidOperationException>(() => Network.MultiplyAdds(scope => scope.Graph.Output("y", scope["map"].Linear(scope.Graph.Input("x", [Dim.Symbol("n"), 3]), 7))));
}
