using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

/// <summary>Blocks of several layers against the same steps in naive arithmetic.</summary>
public class TransformerBlockTests
{
    private const long Rows = 2, Length = 5, Width = 8, Heads = 2;
    private static readonly Dim B = Dim.Symbol("b"), N = Dim.Symbol("n"), M = Dim.Symbol("m");
    private static readonly Tensor<float> X = Runtime.Numbers(1, Rows, Length, Width), Context = Runtime.Numbers(2, Rows, 3, Width);
    private static readonly Tensor<long> Mask = Tensor.Create([1L, 1, 0, 1, 1, 1, 0, 0, 1, 0], Rows, Length);

    [Fact]
    public void MultiheadAttention_SplitsTheFusedWeights()
    {
        var (weights, values) = Weights(("in_proj_weight", [3 * Width, Width]), ("in_proj_bias", [3 * Width]), ("out_proj.weight", [Width, Width]), ("out_proj.bias", [Width]));
        Tensor<float> Part(Tensor<float> x, int part) => Linear(x, Rows3(values["in_proj_weight"], part), Rows3(values["in_proj_bias"], part));
        Tensor<float> Out(Tensor<float> x) => Linear(x, values["out_proj.weight"], values["out_proj.bias"]);

        var other = Runtime.Numbers(3, Rows, 3, Width);
        Runtime.Near(Out(Attend(Part(X, 0), Part(Context, 1), Part(other, 2))),
            Runtime.Run(scope => scope.MultiheadAttention(scope.Graph.Input("q", [B, N, Width]), scope.Graph.Input("k", [B, M, Width]), scope.Graph.Input("v", [B, M, Width]), Heads), weights, ("q", X), ("k", Context), ("v", other)));
        Runtime.Near(Out(Attend(Part(X, 0), Part(X, 1), Part(X, 2), (row, key) => Mask[row, key] == 1)),
            Runtime.Run(scope => scope.MultiheadSelfAttention(scope.Graph.Input("x", [B, N, Width]), Heads, AttentionMasks.Padding(scope.Graph.Input("mask", ElementType.Int64, [B, N]))), weights, ("x", X), ("mask", Mask)));
    }

    [Theory]
    [InlineData(false, true, 4, 1e-6)]
    [InlineData(true, false, 3, 1e-3)]
    public void VitBlock_NormsAttendsAndMaps(bool layerScale, bool qkvBias, long ratio, double epsilon)
    {
        var (weights, values) = Weights(("norm1.weight", [Width]), ("norm1.bias", [Width]), ("attn.qkv.weight", [3 * Width, Width]), ("attn.qkv.bias", [3 * Width]), ("attn.proj.weight", [Width, Width]), ("attn.proj.bias", [Width]), ("ls1.gamma", [Width]),
            ("norm2.weight", [Width]), ("norm2.bias", [Width]), ("mlp.fc1.weight", [ratio * Width, Width]), ("mlp.fc1.bias", [ratio * Width]), ("mlp.fc2.weight", [Width, ratio * Width]), ("mlp.fc2.bias", [Width]), ("ls2.gamma", [Width]));
        Tensor<float> Map(string name, Tensor<float> x) => Linear(x, values[$"{name}.weight"], values[$"{name}.bias"]);
        Tensor<float> Norm(string name, Tensor<float> x) => LayerNorm(x, values[$"{name}.weight"], values[$"{name}.bias"], epsilon);
        Tensor<float> Part(Tensor<float> x, int part) => Linear(x, Rows3(values["attn.qkv.weight"], part), qkvBias ? Rows3(values["attn.qkv.bias"], part) : null);
        Tensor<float> Add(Tensor<float> x, Tensor<float> branch, string scale) => Runtime.Make(x.Shape.ToArray(), at => x[at] + branch[at] * (layerScale ? values[scale][at[2]] : 1));

        var normed = Norm("norm1", X);
        var h = Add(X, Map("attn.proj", Attend(Part(normed, 0), Part(normed, 1), Part(normed, 2), (row, key) => Mask[row, key] == 1)), "ls1.gamma");
        var expected = Add(h, Map("mlp.fc2", Gelu(Map("mlp.fc1", Norm("norm2", h)))), "ls2.gamma");
        var y = Runtime.Run(scope => scope.VitBlock(scope.Graph.Input("x", [B, N, Width]), Heads, epsilon, qkvBias, layerScale, AttentionMasks.Padding(scope.Graph.Input("mask", ElementType.Int64, [B, N])), ratio), weights, ("x", X), ("mask", Mask));
        Runtime.Near(expected, y, 2e-5);
    }

    [Fact]
    public void ResidualAttentionBlock_NormsAttendsAndMaps()
    {
        var (weights, values) = Weights(("ln_1.weight", [Width]), ("ln_1.bias", [Width]), ("attn.in_proj_weight", [3 * Width, Width]), ("attn.in_proj_bias", [3 * Width]), ("attn.out_proj.weight", [Width, Width]), ("attn.out_proj.bias", [Width]),
            ("ln_2.weight", [Width]), ("ln_2.bias", [Width]), ("mlp.c_fc.weight", [4 * Width, Width]), ("mlp.c_fc.bias", [4 * Width]), ("mlp.c_proj.weight", [Width, 4 * Width]), ("mlp.c_proj.bias", [Width]));
        Tensor<float> Map(string name, Tensor<float> x) => Linear(x, values[$"{name}.weight"], values[$"{name}.bias"]);
        Tensor<float> Part(Tensor<float> x, int part) => Linear(x, Rows3(values["attn.in_proj_weight"], part), Rows3(values["attn.in_proj_bias"], part));

        var normed = LayerNorm(X, values["ln_1.weight"], values["ln_1.bias"], 1e-5);
        var h = Add(X, Map("attn.out_proj", Attend(Part(normed, 0), Part(normed, 1), Part(normed, 2))));
        var expected = Add(h, Map("mlp.c_proj", Gelu(Map("mlp.c_fc", LayerNorm(h, values["ln_2.weight"], values["ln_2.bias"], 1e-5)))));
        Runtime.Near(expected, Runtime.Run(scope => scope.ResidualAttentionBlock(scope.Graph.Input("x", [B, N, Width]), Heads), weights, ("x", X)), 2e-5);
    }

    [Fact]
    public void DiffusersAttention_LooksAtItsContext()
    {
        var (weights, values) = Weights(("to_q.weight", [4, Width]), ("to_k.weight", [4, Width]), ("to_v.weight", [4, Width]), ("to_out.0.weight", [Width, 4]), ("to_out.0.bias", [Width]));
        Tensor<long> mask = Tensor.Create([1L, 0, 1, 1, 1, 0], Rows, 3);
        var seen = Attend(Linear(X, values["to_q.weight"], null), Linear(Context, values["to_k.weight"], null), Linear(Context, values["to_v.weight"], null), (row, key) => mask[row, key] == 1);
        var y = Runtime.Run(scope => scope.DiffusersAttention(scope.Graph.Input("x", [B, N, Width]), Heads, scope.Graph.Input("context", [B, M, Width]), scope.Graph.Input("mask", ElementType.Int64, [B, M]).KeyBias(), inner: 4),
            weights, ("x", X), ("context", Context), ("mask", mask));
        Runtime.Near(Linear(seen, values["to_out.0.weight"], values["to_out.0.bias"]), y);
    }

    [Theory]
    [InlineData("gelu", false)]
    [InlineData("gelu-approximate", false)]
    [InlineData("geglu", true)]
    [InlineData("geglu-approximate", false)]
    [InlineData("swiglu", true)]
    [InlineData("linear-silu", false)]
    public void DiffusersFeedForward_EachActivation_IsItsFormula(string activation, bool gated)
    {
        const long inner = 2 * Width;
        var (weights, values) = Weights(("net.0.proj.weight", [gated ? 2 * inner : inner, Width]), ("net.0.proj.bias", [gated ? 2 * inner : inner]), ("net.2.weight", [Width, inner]), ("net.2.bias", [Width]));
        Func<double, double> formula = activation switch
        {
            "gelu" or "geglu" => v => v * Phi(v),
            "gelu-approximate" => v => v / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v))),
            "geglu-approximate" => v => v / (1 + Math.Exp(-1.702 * v)),
            _ => v => v / (1 + Math.Exp(-v)),
        };
        var both = Linear(X, values["net.0.proj.weight"], values["net.0.proj.bias"]);
        var hidden = Runtime.Make([Rows, Length, inner], at => gated ? both[at] * formula(both[at[0], at[1], at[2] + inner]) : formula(both[at]));
        Runtime.Near(Linear(hidden, values["net.2.weight"], values["net.2.bias"]), Runtime.Run(scope => scope.DiffusersFeedForward(scope.Graph.Input("x", [B, N, Width]), activation, 2), weights, ("x", X)), 2e-5);
    }

    [Fact]
    public void Masks_PaddingKeyBiasAndDistance_AreTheirNumbers()
    {
        Runtime.Near(Runtime.Make([Rows, 1, 1, Length], at => Mask[at[0], at[3]] == 1 ? 0 : -1e30f), Runtime.Run(g => AttentionMasks.Padding(g.Input("mask", ElementType.Int64, [B, N])), ("mask", Mask)), 0);
        Runtime.Near(Runtime.Make([Rows, 1, 1, Length], at => Mask[at[0], at[3]] == 1 ? 0 : -10000), Runtime.Run(g => g.Input("mask", ElementType.Int64, [B, N]).KeyBias(), ("mask", Mask)), 0);
        var distance = Runtime.Run<long>(g => AttentionMasks.Distance(g, g.Input("x", [B, N, Width]).Shape[1], g.Input("keys", [B, M, Width]).Shape[1]), ("x", Context), ("keys", X));
        Assert.Equal([1, 1, 3, Length], distance.Shape.ToArray());
        Assert.Equal([2L, 1, 0, -1, -2, 3, 2, 1, 0, -1, 4, 3, 2, 1, 0], distance.Span.ToArray());
    }

    private static (TestWeights Weights, IReadOnlyDictionary<string, Tensor<float>> Values) Weights(params (string Name, long[] Shape)[] shapes)
    {
        var values = shapes.Select((shape, i) => (shape.Name, Runtime.Numbers(10 + i, shape.Shape))).ToArray();
        return (new(values), values.ToDictionary(pair => pair.Name, pair => pair.Item2));
    }

    // One of three equal parts of the rows.
    private static Tensor<float> Rows3(Tensor<float> weight, int part)
    {
        long[] shape = [weight.Shape[0] / 3, .. weight.Shape[1..]];
        return Runtime.Make(shape, at => weight[[at[0] + part * shape[0], .. at[1..]]]);
    }

    private static Tensor<float> Linear(Tensor<float> x, Tensor<float> weight, Tensor<float>? bias) =>
        Runtime.Make([x.Shape[0], x.Shape[1], weight.Shape[0]], at => (bias?[at[2]] ?? 0) + Runtime.Positions(weight.Shape[1]).Sum(k => (double)x[at[0], at[1], k[0]] * weight[at[2], k[0]]));

    private static Tensor<float> LayerNorm(Tensor<float> x, Tensor<float> weight, Tensor<float> bias, double epsilon) => Runtime.Make(x.Shape.ToArray(), at =>
    {
        var row = Runtime.Positions(weight.Length).Select(k => (double)x[at[0], at[1], k[0]]).ToArray();
        return (x[at] - row.Average()) / Math.Sqrt(row.Average(value => (value - row.Average()) * (value - row.Average())) + epsilon) * weight[at[2]] + bias[at[2]];
    });

    private static Tensor<float> Attend(Tensor<float> q, Tensor<float> k, Tensor<float> v, Func<long, long, bool>? seen = null) => Runtime.Make([q.Shape[0], q.Shape[1], v.Shape[2]], at =>
    {
        var width = q.Shape[2] / Heads;
        var start = at[2] / (v.Shape[2] / Heads) * width;
        var keys = Runtime.Positions(k.Shape[1]).Select(key => key[0]).Where(key => seen?.Invoke(at[0], key) ?? true).ToArray();
        var weights = keys.Select(key => Math.Exp(Runtime.Positions(width).Sum(i => (double)q[at[0], at[1], start + i[0]] * k[at[0], key, start + i[0]]) / Math.Sqrt(width))).ToArray();
        return keys.Zip(weights, (key, weight) => weight * v[at[0], key, at[2]]).Sum() / weights.Sum();
    });

    private static Tensor<float> Add(Tensor<float> a, Tensor<float> b) => Runtime.Make(a.Shape.ToArray(), at => a[at] + b[at]);

    private static Tensor<float> Gelu(Tensor<float> x) => Runtime.Make(x.Shape.ToArray(), at => x[at] * Phi(x[at]));

    // The normal distribution by its series: 1/2 + phi(x) (x + x^3/3 + x^5/(3 5) + ..).
    private static double Phi(double x)
    {
        double sum = 0, term = x;
        for (var n = 1; n < 400; n += 2) (sum, term) = (sum + term, term * x * x / (n + 2));
        return 0.5 + sum * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
    }
}
