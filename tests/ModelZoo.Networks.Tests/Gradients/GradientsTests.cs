using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Tests;


/// <summary>Every rule against differences of the value itself.</summary>
public class GradientsTests
{
    private static readonly Dictionary<string, Func<Value, Value>> Operations = new()
    {
        ["sum"] = x => x.Sum(1),
        ["mean of a batch"] = x => x.Reduce("ReduceMean", [0, 2], keep: false),
        ["length"] = x => x.L2Normalize(),
        ["largest"] = x => x.MaxOver(-1),
        ["smallest"] = x => x.MinOver(1, keep: true),
        ["broadcast"] = x => x * x.Take(1, 1) - x.From(1, 1).Sum(1, keep: true) / (x.Square() + 1),
        ["power"] = x => (x.Abs() + 0.5).Pow(1.7) + x.Exp() + (x.Square() + 1).Log() + x.Sin() * x.Cos(),
        ["activations"] = x => x.Silu() + x.QuickGelu() + x.Gelu() + x.Gelu(Gelu.Tanh) + x.Tanh() * x.Sigmoid() + x.Softplus() + x.Erf() + x.LeakyRelu(0.1) + x.Relu(),
        ["bounds"] = x => x.Clip(-0.3, 0.4) + x.Max(x.Graph.Scalar(x.Type, 0.1)) * x.Min(-x),
        ["choice"] = x => x.Greater(x.Graph.Scalar(x.Type, 0)).Where(x * 2, x.Square()),
        ["softmax"] = x => x.Softmax() * x + x.LogSoftmax(1),
        ["product"] = x => x.MatMul(x.Swap(1, 2)),
        ["norms"] = x => x.LayerNorm() * 2 + x.RmsNorm() + x.Reshape(x.Shape[0], 6, 4).GroupNorm(3).Reshape([.. x.Shape]),
        ["shapes"] = x => ValueShape.Concat(2, x.Swap(1, 2).Reshape(x.Shape[0], 4, 6), x.Chunk(2, 1)[1].Reshape(x.Shape[0], 4, 3), x.Slice(1, 1, 3).Reshape(x.Shape[0], 4, 2)),
        ["places"] = x => x.Gather(x.Graph.Constant<long>([3, 0, 3, 1], 2, 2), 1) * 2 + x.Gather(x.Graph.Constant<long>([1], 1), 1).Unsqueeze(2),
        ["elements"] = x => x.GatherElements(x.Graph.Constant<long>([.. Enumerable.Range(0, 24).Select(i => (long)(i % 5))], 2, 3, 4), 1),
        ["attention"] = x => AttentionLayers.Attention(x * 2, x + 1, x.Square(), new() { Heads = 2, Causal = true }),
        ["biased attention"] = x => AttentionLayers.Attention(x, x.From(1, 1), x.Take(1, 5), new() { Heads = 2, Bias = x.Reshape(x.Shape[0], 1, 6, 4).Sum(-1, keep: true).Expand(x.Shape[0], 1, 6, 5) }),
        ["enlargement"] = x => x.Reshape(x.Shape[0], 2, 3, 4).Upsample(2).Square(),
    };

    public static TheoryData<string> Names => [.. Operations.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Of_EachOperation_IsTheDifferenceOfItsValue(string name) =>
        Check(new(), Runtime.Numbers(1, 2, 6, 4), [name == "elements" ? 2 : Dim.Symbol("b"), 6, 4], (_, x) => Operations[name](x));

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 1, 1)]
    [InlineData(2, 0, 2)]
    [InlineData(1, 2, 2)]
    public void Of_AConvolution_IsTheDifferenceOfItsValue(long stride, long padding, long groups)
    {
        var weights = new TestWeights(("weight", Runtime.Numbers(2, 6, 4 / groups, 3, 3)), ("bias", Runtime.Numbers(3, 6)));
        Check(weights, Runtime.Numbers(4, 2, 4, 7, 6), [Dim.Symbol("b"), 4, 7, 6], (scope, x) => scope.Conv(x, 6, 3, stride, padding, groups: groups));
    }

    [Fact]
    public void Of_ALinearMap_IsTheDifferenceOfItsValue() =>
        Check(new(("weight", Runtime.Numbers(2, 3, 4)), ("bias", Runtime.Numbers(3, 3))), Runtime.Numbers(4, 2, 6, 4), [Dim.Symbol("b"), 6, 4], (scope, x) => scope.Linear(x, 3));

    // What torch.autograd gives where a formula alone divides nothing by nothing, or where two are equally large.
    [Theory]
    [InlineData("length of zeros", new[] { 0f, 0, 0 }, new[] { 0f, 0, 0 })]
    [InlineData("direction of zeros", new[] { 0f, 0, 0 }, new[] { 1e12f, 1e12f, 1e12f })]
    [InlineData("power zero", new[] { 0f, -2, 3 }, new[] { 0f, 0, 0 })]
    [InlineData("power two", new[] { 0f, -2, 3 }, new[] { 0f, -4, 6 })]
    [InlineData("larger of two", new[] { 0f, -2, 3 }, new[] { 0.5f, 0, 1 })]
    [InlineData("smaller of two", new[] { 0f, -2, 3 }, new[] { 0.5f, 1, 0 })]
    [InlineData("whole part", new[] { 0.5f, -2.5f, 3 }, new[] { 0f, -2, 3 })]
    [InlineData("elu", new[] { 0f, 200, -200 }, new[] { 1f, 1, 0 })]
    [InlineData("elu's operator", new[] { 0f, 200, -200 }, new[] { 1f, 1, 0 })]
    [InlineData("mish", new[] { 0f, 200, -200 }, new[] { 0.6f, 1, 0 })]
    [InlineData("mish's operator", new[] { 0f, 200, -200 }, new[] { 0.6f, 1, 0 })]
    public void Of_ValuesOnTheEdge_IsWhatPyTorchGives(string operation, float[] at, float[] expected)
    {
        var gradient = Runtime.Run(g =>
        {
            var x = g.Input("x", [3]);
            var y = operation switch
            {
                "length of zeros" => x.Reduce("ReduceL2", [0], keep: true),
                "direction of zeros" => x.L2Normalize(),
                "power zero" => x.Pow(0),
                "power two" => x.Pow(2),
                "larger of two" => x.Max(g.Scalar(x.Type, 0)),
                "smaller of two" => x.Min(g.Scalar(x.Type, 0)),
                "whole part" => x.Cast(ElementType.Int64).Cast(ElementType.Float32) * x,
                "elu" => x.Elu(),
                "elu's operator" => x.Unary("Elu"),
                "mish" => x.Mish(),
                _ => x.Unary("Mish"),
            };
            return Gradients.Of(y.Sum(0), x)[0];
        }, ("x", Tensor.Create(at, 3)));
        for (var i = 0; i < 3; i++) Assert.Equal(expected[i], gradient.Span[i], 1e-6 * Math.Max(1, Math.Abs(expected[i])));
    }

    [Fact]
    public void Of_AValueThatIsNotUsed_IsZero()
    {
        var zero = Runtime.Run(g =>
        {
            var (x, other) = (g.Input("x", [2]), g.Input("other", [3]));
            return Gradients.Of(x.Sum(0), other)[0] + (x.Sum(0) + other.Sum(0)) * 0;
        }, ("x", Runtime.Numbers(1, 2)), ("other", Runtime.Numbers(2, 3)));
        Assert.Equal(new float[3], zero.Span.ToArray());
    }

    [Fact]
    public void Of_AnOperatorWithoutRule_IsNamed()
    {
        var graph = new Graph("g");
        var x = graph.Input("x", [2, 3]);
        Assert.Contains("CumSum", Assert.Throws<GraphException>(() => Gradients.Of(x.CumulativeSum(1).Sum(1).Sum(0), x)).Message);
    }

    [Fact]
    public void Of_WeightsInFewerBits_IsRefusedWithTheRemedy()
    {
        var weights = new TestWeights(("weight", Runtime.Numbers(1, 8, 32)));
        var context = new NetworkContext(Runtime.Engine, weights) { Session = new() { Precision = WeightPrecision.Int8 } };
        var error = Assert.Throws<GraphException>(() => Network.Build(context, "loss", scope =>
        {
            var x = scope.Graph.Input("x", [1, 32]);
            scope.Graph.Output("y", Gradients.Of(scope.Linear(x, 8, bias: false).Sum(1).Sum(0), x)[0]);
        }));
        Assert.Equal(("float32", "int8"), (error.Expected, error.Found));
        Assert.Contains("--precision float32", error.Remedy, StringComparison.Ordinal);
    }

    private static void Check(TestWeights weights, Tensor<float> at, Shape shape, Func<Scope, Value, Value> operation)
    {
        // A loss that weighs every element differently.
        Value Loss(Scope scope, Value x)
        {
            var mixed = (operation(scope, x) * 1.3 + 0.2).Sin();
            return mixed.Reduce("ReduceSum", [.. Enumerable.Range(0, mixed.Rank)], keep: false);
        }

        var gradient = Runtime.Run(scope =>
        {
            var x = scope.Graph.Input("x", shape);
            return Gradients.Of(Loss(scope, x), x)[0];
        }, weights, ("x", at));
        Assert.Equal(at.Shape.ToArray(), gradient.Shape.ToArray());
        using var network = Network.Build(new(Runtime.Engine, weights), "loss", scope => scope.Graph.Output("y", Loss(scope, scope.Graph.Input("x", shape))));
        const float step = 4e-3f;
        for (var i = 0; i < at.Length; i += 3)
        {
            var value = at.Span[i];
            at.Span[i] = value + step;
            var above = network.Run(default, ("x", at))["y"].Span[0];
            at.Span[i] = value - step;
            var below = network.Run(default, ("x", at))["y"].Span[0];
            at.Span[i] = value;
            Assert.Equal((above - below) / (2 * step), gradient.Span[i], 2e-2 * Math.Max(1, Math.Abs(gradient.Span[i])));
        }
    }
}
