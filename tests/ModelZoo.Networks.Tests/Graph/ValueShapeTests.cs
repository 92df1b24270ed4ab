using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Graphs;

public class ValueShapeTests
{
    private static readonly Dim B = Dim.Symbol("b"), T = Dim.Symbol("t");

    [Theory]
    [InlineData(1, 2)]
    [InlineData(3, 4)]
    public void Reshape_SymbolicExtents_FollowTheInput(long b, long t)
    {
        var x = Runtime.Numbers(1, b, 6 * t, 4);
        Tensor<float> Run(Func<Value, Value> change) => Runtime.Run(g => change(g.Input("x", [B, T * 6, 4])), ("x", x));
        Assert.Equal([b, 2 * t, 12], Run(v => v.Reshape(B, T * 2, 12)).Shape.ToArray());
        Assert.Equal([b, t, 24], Run(v => v.Reshape(B, -1, 24)).Shape.ToArray());
        Assert.Equal([b * t * 6, 4], Run(v => v.Flatten(0, 1)).Shape.ToArray());
        Assert.Equal([b, 3, t, 2, 4], Run(v => v.Reshape(B, 3, T, 2, 4)).Shape.ToArray());
        Assert.Equal([t, b, 24], Run(v => v.Reshape(B, T, 24).Swap(0, 1)).Shape.ToArray());
        Assert.Equal(x.Span.ToArray(), Run(v => v.Reshape(B * T, 3, 8).Reshape(B, T * 6, 4)).Span.ToArray());
    }

    [Fact]
    public void Reshape_OtherCount_NamesBothShapes()
    {
        var error = Assert.Throws<GraphException>(() => Runtime.Run(g => g.Input("x", [2, 3]).Reshape(4, 2)));
        Assert.Contains("[2, 3]", error.Expected);
        Assert.Contains("[4, 2]", error.Found);
        Assert.Throws<GraphException>(() => Runtime.Run(g => g.Input("x", [B, 3]).Reshape(B, 2, -1)));
    }

    [Fact]
    public void Slices_SymbolicBounds()
    {
        var x = Runtime.Numbers(1, 2, 7, 3);
        Tensor<float> Run(Func<Value, Value> change) => Runtime.Run(g => change(g.Input("x", [B, T, 3])), ("x", x));
        Runtime.Near(Runtime.Make([2, 6, 3], at => x[at[0], at[1] + 1, at[2]]), Run(v => v.From(1, 1)), 0);
        Runtime.Near(Runtime.Make([2, 6, 3], at => x[at[0], at[1], at[2]]), Run(v => v.Take(1, T - 1)), 0);
        Runtime.Near(Runtime.Make([2, 2, 3], at => x[at[0], at[1] + 5, at[2]]), Run(v => v.Last(1, 2)), 0);
        Runtime.Near(Runtime.Make([2, 3], at => x[at[0], 6, at[1]]), Run(v => v.At(1, T - 1)), 0);
        Runtime.Near(Runtime.Make([2, 3, 3], at => x[at[0], 2 * at[1] + 1, at[2]]), Run(v => v.Stride(1, 1, 2)), 0);
        Runtime.Near(Runtime.Make([2, 7, 3], at => x[at[0], 6 - at[1], at[2]]), Run(v => v.Reverse(1)), 0);
        Runtime.Near(Runtime.Make([2, 7, 1], at => x[at[0], at[1], 2]), Run(v => v.Split(-1, 2, 1)[1]), 0);
    }

    [Fact]
    public void Repeats_AndJoins()
    {
        var x = Runtime.Numbers(1, 2, 3);
        Tensor<float> Run(Func<Value, Value> change) => Runtime.Run(g => change(g.Input("x", [B, T])), ("x", x));
        Runtime.Near(Runtime.Make([2, 6], at => x[at[0], at[1] % 3]), Run(v => v.Tile(1, 2)), 0);
        Runtime.Near(Runtime.Make([2, 6], at => x[at[0], at[1] / 2]), Run(v => v.RepeatInterleave(1, 2)), 0);
        Runtime.Near(Runtime.Make([2, 6], at => at[1] < 3 ? x[at[0], at[1]] : -x[at[0], at[1] - 3]), Run(v => ValueShape.Concat(-1, v, -v)), 0);
        Runtime.Near(Runtime.Make([2, 3, 2], at => at[2] == 0 ? x[at[0], at[1]] : -x[at[0], at[1]]), Run(v => ValueShape.Stack(-1, v, -v)), 0);
        Runtime.Near(Runtime.Make([2, 3, 4], at => x[at[0], at[1]]), Run(v => v.Unsqueeze(-1).Expand(B, T, 4)), 0);
        Runtime.Near(Runtime.Make([3, 3], at => at[0] == at[1] ? 1 : 0), Runtime.Run(g =>
        {
            var range = AttentionLayers.Range(g, g.Input("x", [B, T]).Shape[1]);
            return range.Reshape(-1, 1).Same(range.Reshape(1, -1)).Cast(ElementType.Float32);
        }, ("x", x)), 0);
    }

    [Fact]
    public void Gathers_FollowTheirIndices()
    {
        var x = Runtime.Numbers(1, 4, 3);
        Runtime.Near(Runtime.Make([2, 3], at => x[3 - at[0] * 2, at[1]]), Runtime.Run(g => g.Input("x", Runtime.Symbols(2)).Gather(g.Constant<long>([3, 1], 2)), ("x", x)), 0);
        Runtime.Near(Runtime.Make([4, 1], at => x[at[0], at[0] % 3]), Runtime.Run(g => g.Input("x", [4, 3]).GatherElements(g.Constant<long>([0, 1, 2, 0], 4, 1), 1), ("x", x)), 0);
    }

    [Fact]
    public void Reshape_OfNothing_KeepsTheExtentsThatAreGiven()
    {
        var nothing = Tensor.Zeros<float>(0, 3, 2);
        Assert.Equal([3, 0, 2], Runtime.Run(g => g.Input("x", [0, 3, 2]).Reshape(3, 0, 2), ("x", nothing)).Shape.ToArray());
        Assert.Equal([3, 0, 2], Runtime.Run(g => g.Input("x", [B, T, 2]).Reshape(T, B, 2), ("x", nothing)).Shape.ToArray());
    }

    [Fact]
    public void Pad_WrapAroundMoreThanOnce_IsRefusedOrGoesOn()
    {
        Assert.Throws<GraphException>(() => new Graph("g").Input("x", [1, 3]).Pad(1, 4, 0, PadMode.Wrap));
        var x = Runtime.Numbers(1, 2, 3);
        Runtime.Near(Runtime.Make([2, 9], at => x[at[0], (at[1] + 2) % 3]), Runtime.Run(g => g.Input("x", [B, T]).Pad(1, 4, 2, PadMode.Wrap), ("x", x)), 0);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(-7)]
    [InlineData(12)]
    public void Roll_KnownExtent_GoesRound(long places)
    {
        var x = Runtime.Numbers(1, 5, 3);
        Runtime.Near(Runtime.Make([5, 3], at => x[((at[0] + places) % 5 + 5) % 5, at[1]]), Runtime.Run(g => g.Input("x", [5, 3]).Roll(0, places), ("x", x)), 0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(5)]
    public void Roll_BringsBackWhatLeaves(long places)
    {
        var x = Runtime.Numbers(1, 5, 3);
        Runtime.Near(Runtime.Make([5, 3], at => x[(at[0] + places) % 5, at[1]]), Runtime.Run(g => g.Input("x", Runtime.Symbols(2)).Roll(0, places), ("x", x)), 0);
    }

    [Fact]
    public void ScatterElements_ReplacesOrAdds()
    {
        var (x, updates) = (Runtime.Numbers(1, 4, 2), Runtime.Numbers(2, 3, 2));
        long[] places = [0, 3, 2, 1, 3, 0];
        Tensor<float> Run(long[] indices, bool add) => Runtime.Run(g => g.Input("x", Runtime.Symbols(2)).ScatterElements(g.Constant<long>(indices, 3, 2), g.Input("u", [3, 2]), 0, add), ("x", x), ("u", updates));
        IEnumerable<long> Rows(long[] indices, long[] at) => Enumerable.Range(0, 3).Select(i => (long)i).Where(i => indices[i * 2 + at[1]] == at[0]);
        Runtime.Near(Runtime.Make([4, 2], at => Rows(places, at).Select(i => updates[i, at[1]]).Append(x[at]).First()), Run(places, false), 0);
        long[] twice = [1, 3, 1, 1, 1, 0];
        Runtime.Near(Runtime.Make([4, 2], at => x[at] + Rows(twice, at).Sum(i => updates[i, at[1]])), Run(twice, true), 1e-6);
    }

    [Fact]
    public void Pick_TakesOneRowOfEachSample()
    {
        var x = Runtime.Numbers(1, 2, 4, 3);
        var y = Runtime.Run(g => g.Input("x", [B, T, 3]).Pick(g.Input("rows", ElementType.Int64, [B])), ("x", x), ("rows", Tensor.Create([3L, 1], 2)));
        Runtime.Near(Runtime.Make([2, 3], at => x[at[0], at[0] == 0 ? 3 : 1, at[1]]), y, 0);
    }

    [Fact]
    public void Broadcast_ShapesThatDoNotFit_NameThePath()
    {
        var error = Assert.Throws<GraphException>(() => Runtime.Run(scope => scope["blocks"][3].Linear(scope.Graph.Input("x", [2, 5]), 4) + scope.Graph.Input("z", [3, 4]), new TestWeights()));
        Assert.Equal("blocks.3", error.Where);
    }
}
