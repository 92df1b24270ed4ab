using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class PositionTests
{
    private static readonly Dim B = Dim.Symbol("b"), N = Dim.Symbol("n");

    [Theory]
    [InlineData(8, 0, true)]
    [InlineData(8, 1, false)]
    [InlineData(9, 0, true)]
    public void Sinusoid_HasTheFrequenciesOfItsConvention(long width, double shift, bool cosinesFirst)
    {
        var t = Tensor.Create([0f, 1, 7.5f, 999], 4);
        var half = width / 2;
        var expected = Runtime.Make([4, width], at =>
        {
            if (at[1] == 2 * half) return 0;
            var angle = t.Span[(int)at[0]] * Math.Pow(10000, -(at[1] % half) / (half - shift));
            return at[1] < half == cosinesFirst ? Math.Cos(angle) : Math.Sin(angle);
        });
        Runtime.Near(expected, Runtime.Run(g => g.Input("t", [B]).Sinusoid(width, shift: shift, cosinesFirst: cosinesFirst), ("t", t)), 2e-4);
    }

    [Theory]
    [InlineData(4, 4, false)]
    [InlineData(6, 6, true)]
    [InlineData(8, 4, false)]                                                                // only the first half turns
    [InlineData(8, 4, true)]
    public void Rotary_TurnsPairsByTheirAngle(long width, long turned, bool interleaved)
    {
        var x = Runtime.Numbers(1, 2, 5, 2 * width);
        var y = Runtime.Run(graph =>
        {
            var input = graph.Input("x", [B, N, 2 * width]);
            var (cos, sin) = PositionLayers.RotaryAngles(graph, N, turned);
            return input.Rotary(2, cos, sin, interleaved);
        }, ("x", x));
        var expected = Runtime.Make([2, 5, 2 * width], at =>
        {
            var (start, i) = (at[2] / width * width, at[2] % width);
            if (i >= turned) return x[at];
            var (pair, second) = interleaved ? (i / 2, i % 2 == 1) : (i % (turned / 2), i >= turned / 2);
            var angle = at[1] * Math.Pow(10000, -2.0 * pair / turned);
            var (a, b) = interleaved ? (x[at[0], at[1], start + 2 * pair], x[at[0], at[1], start + 2 * pair + 1]) : (x[at[0], at[1], start + pair], x[at[0], at[1], start + pair + turned / 2]);
            return second ? b * Math.Cos(angle) + a * Math.Sin(angle) : a * Math.Cos(angle) - b * Math.Sin(angle);
        });
        Runtime.Near(expected, y);
    }

    [Fact]
    public void RotaryAngles_OfGrids_ConcatenateTheAxes()
    {
        // Axis a of a grid has widths[a] channels; a pair's angle is its coordinate times the frequency within its axis.
        long[] sizes = [2, 3, 4], widths = [4, 2, 6];
        var cos = Runtime.Run(g => PositionLayers.RotaryAngles(g, sizes, widths).Cos);
        Runtime.Near(Runtime.Make([24, 6], at =>
        {
            long[] place = [at[0] / 12, at[0] / 4 % 3, at[0] % 4];
            var (axis, pair) = at[1] < 2 ? (0, at[1]) : at[1] < 3 ? (1, at[1] - 2) : (2, at[1] - 3);
            return Math.Cos(place[axis] * Math.Pow(10000, -2.0 * pair / widths[axis]));
        }), cos, 1e-6);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SinCosGrid_HasHalfTheChannelsForEachAxis(bool columnsFirst)
    {
        var table = Runtime.Run(g => PositionLayers.SinCosGrid(g, 3, 5, 8, columnsFirst: columnsFirst));
        Runtime.Near(Runtime.Make([15, 8], at =>
        {
            var (row, column) = (at[0] / 5, at[0] % 5);
            var place = at[1] < 4 == columnsFirst ? column : row;
            var angle = place / Math.Pow(10000, at[1] % 2 / 2.0);
            return at[1] % 4 < 2 ? Math.Sin(angle) : Math.Cos(angle);
        }), table, 1e-6);
    }

    [Fact]
    public void FourierFeatures_UseTheStoredFrequencies()
    {
        var (t, w) = (Runtime.Numbers(1, 3), Runtime.Numbers(2, 4));
        var expected = Runtime.Make([3, 8], at => at[1] < 4 ? Math.Sin(2 * Math.PI * t[at[0]] * w[at[1]]) : Math.Cos(2 * Math.PI * t[at[0]] * w[at[1] - 4]));
        Runtime.Near(expected, Runtime.Run(scope => scope.FourierFeatures(scope.Graph.Input("t", [B]), 8), new(("weight", w)), ("t", t)));
    }
}
