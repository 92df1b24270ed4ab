using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Graphs;

public class ValueMathTests
{
    private static readonly Tensor<float> X = Runtime.Make([2, 61], at => (at[0] * 61 + at[1] - 61) / 12.0);

    public static TheoryData<string, Func<Value, Value>, Func<double, double>> Unary => new()
    {
        { "exp", x => x.Exp(), Math.Exp },
        { "abs", x => x.Abs(), Math.Abs },
        { "sin", x => x.Sin(), Math.Sin },
        { "cos", x => x.Cos(), Math.Cos },
        { "tanh", x => x.Tanh(), Math.Tanh },
        { "sigmoid", x => x.Sigmoid(), x => 1 / (1 + Math.Exp(-x)) },
        { "erf", x => x.Erf(), Erf },
        { "round", x => (x * 6).Round(), x => Math.Round(Math.Round(x * 12) / 2, MidpointRounding.ToEven) },
        { "floor", x => (x * 12 + 0.5).Floor(), x => Math.Round(x * 12) },
        { "sign", x => x.Sign(), x => Math.Sign(x) },
        { "relu", x => x.Relu(), x => Math.Max(x, 0) },
        { "leaky", x => x.LeakyRelu(0.2), x => x > 0 ? x : 0.2 * x },
        { "elu", x => x.Elu(0.7), x => x > 0 ? x : 0.7 * (Math.Exp(x) - 1) },
        { "silu", x => x.Silu(), x => x / (1 + Math.Exp(-x)) },
        { "quick gelu", x => x.QuickGelu(), x => x / (1 + Math.Exp(-1.702 * x)) },
        { "gelu", x => x.Gelu(), x => x * (1 + Erf(x / Math.Sqrt(2))) / 2 },
        { "gelu tanh", x => x.Gelu(Gelu.Tanh), x => x / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))) },
        { "softplus", x => x.Softplus(), x => Math.Log(1 + Math.Exp(x)) },
        { "mish", x => x.Mish(), x => x * Math.Tanh(Math.Log(1 + Math.Exp(x))) },
        { "snake", x => (x + (x * 2).Sin().Square() / 2), x => x + Math.Pow(Math.Sin(2 * x), 2) / 2 },
        { "square", x => x.Square(), x => x * x },
        { "rsqrt", x => (x.Abs() + 1).Rsqrt(), x => 1 / Math.Sqrt(Math.Abs(x) + 1) },
        { "pow", x => (x.Abs() + 1).Pow(1.5), x => Math.Pow(Math.Abs(x) + 1, 1.5) },
        { "log", x => (x.Abs() + 1).Log(), x => Math.Log(Math.Abs(x) + 1) },
        { "clip", x => x.Clip(-1, 2), x => Math.Clamp(x, -1, 2) },
        { "numbers", x => (2 - (3 / (x + 10)) * 4) / 5 - 1, x => (2 - 3 / (x + 10) * 4) / 5 - 1 },
        { "where", x => x.Greater(x.Graph.Scalar(ElementType.Float32, 0)).Where(x, -x * 3), x => x > 0 ? x : -3 * x },
    };

    [Theory, MemberData(nameof(Unary))]
    public void Elementwise_EqualsItsFormula(string name, Func<Value, Value> graph, Func<double, double> formula)
    {
        Assert.NotEmpty(name);
        var y = Runtime.Run(g => graph(g.Input("x", Runtime.Symbols(2))), ("x", X));
        var expected = Runtime.Make([2, 61], at => formula(X[at]));
        for (var i = 0; i < y.Length; i++) Assert.Equal(expected.Span[i], y.Span[i], 2e-6 * Math.Max(1, Math.Abs(expected.Span[i])));
    }

    [Fact]
    public void Whole_NumbersDivideAndWrap()
    {
        var x = Tensor.Create([0L, 1, 6, 7, 13], 5);
        Assert.Equal([0L, 0, 2, 2, 4], Runtime.Run<long>(g => g.Input("x", ElementType.Int64, [5]).FloorDivide(3), ("x", x)).Span.ToArray());
        Assert.Equal([0L, 1, 0, 1, 1], Runtime.Run<long>(g => g.Input("x", ElementType.Int64, [5]).Modulo(3), ("x", x)).Span.ToArray());
    }

    [Fact]
    public void Whole_NumbersBelowZeroRoundDown()
    {
        var x = Tensor.Create([-7L, -6, -1, 7], 4);
        Value Input(Graph graph) => graph.Input("x", ElementType.Int64, [4]);
        Assert.Equal([-3L, -2, -1, 2], Runtime.Run<long>(g => Input(g).FloorDivide(3), ("x", x)).Span.ToArray());
        Assert.Equal([2L, 0, 2, 1], Runtime.Run<long>(g => Input(g).Modulo(3), ("x", x)).Span.ToArray());
        Assert.Equal([-1L, 0, -1, -2], Runtime.Run<long>(g => Input(g).Modulo(-3), ("x", x)).Span.ToArray());
    }

    [Fact]
    public void Whole_NumbersTakeNoFraction()
    {
        var error = Assert.Throws<GraphException>(() => Runtime.Run<long>(g => g.Input("x", ElementType.Int64, [2]) * 0.5));
        Assert.Equal(("Int64", "0.5"), (error.Expected, error.Found));
    }

    [Fact]
    public void Cast_AndRound_AreThoseOfPyTorch()
    {
        var x = Tensor.Create([-2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.7f], 6);
        Value Input(Graph graph) => graph.Input("x", [6]);
        Assert.Equal([-2f, -2, 0, 0, 2, 3], Runtime.Run(g => Input(g).Round(), ("x", x)).Span.ToArray());
        Assert.Equal([-2L, -1, 0, 0, 1, 2], Runtime.Run<long>(g => Input(g).Cast(ElementType.Int64), ("x", x)).Span.ToArray());
    }

    [Fact]
    public void Softmax_RowWithNothingToSee_IsNotANumber()
    {
        var y = Runtime.Run(g => g.Input("x", [2, 2]).Softmax(), ("x", Tensor.Create([float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity, 1], 2, 2)));
        Assert.Equal([float.NaN, float.NaN, 0, 1], y.Span.ToArray());
    }

    [Fact]
    public void Reductions_EqualTheirSums()
    {
        var x = Runtime.Numbers(1, 3, 4, 5);
        Value Input(Graph graph) => graph.Input("x", Runtime.Symbols(3));
        IEnumerable<float> Line(long[] at) => Enumerable.Range(0, 4).Select(k => x[at[0], k, at[^1]]);
        Runtime.Near(Runtime.Make([3, 5], at => Line(at).Sum()), Runtime.Run(g => Input(g).Sum(1), ("x", x)));
        Runtime.Near(Runtime.Make([3, 1, 5], at => Line(at).Average()), Runtime.Run(g => Input(g).Mean(-2, keep: true), ("x", x)));
        Runtime.Near(Runtime.Make([3, 5], at => Line(at).Max()), Runtime.Run(g => Input(g).MaxOver(1), ("x", x)));
        Runtime.Near(Runtime.Make([3, 5], at => Line(at).Average(v => (double)v * v) - Math.Pow(Line(at).Average(), 2)), Runtime.Run(g => Input(g).Variance([1]), ("x", x)));
        Runtime.Near(Runtime.Make([3, 4, 5], at => x[at] / Math.Sqrt(Line(at).Sum(v => (double)v * v))), Runtime.Run(g => Input(g).L2Normalize(1), ("x", x)));
        Runtime.Near(Runtime.Make([3, 4, 5], at => Math.Exp(x[at]) / Line(at).Sum(v => Math.Exp(v))), Runtime.Run(g => Input(g).Softmax(1), ("x", x)));
        Runtime.Near(Runtime.Make([3, 4, 5], at => Enumerable.Range(0, (int)at[1] + 1).Sum(k => x[at[0], k, at[2]])), Runtime.Run(g => Input(g).CumulativeSum(1), ("x", x)));
    }

    [Fact]
    public void ArgMaxAndTopK_PreferTheFirst()
    {
        var x = Tensor.Create([1f, 3, 3, 2, 0, 0], 1, 6);
        Assert.Equal([1L], Runtime.Run<long>(g => g.Input("x", Runtime.Symbols(2)).ArgMax(-1), ("x", x)).Span.ToArray());
        Assert.Equal([4L], Runtime.Run<long>(g => g.Input("x", Runtime.Symbols(2)).ArgMin(-1), ("x", x)).Span.ToArray());
        Assert.Equal([1L, 2, 3], Runtime.Run<long>(g => g.Input("x", Runtime.Symbols(2)).TopK(3).Indices, ("x", x)).Span.ToArray());
    }

    // Abramowitz and Stegun's series, in double.
    private static double Erf(double x)
    {
        double sum = 0, term = x;
        if (Math.Abs(x) > 5) return Math.Sign(x);
        for (var n = 0; n < 200; n++)
        {
            sum += term / (2 * n + 1);
            term *= -x * x / (n + 1);
        }

        return 2 / Math.Sqrt(Math.PI) * sum;
    }
}
