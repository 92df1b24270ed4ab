using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class LinearAttentionTests
{
    private static readonly Dim B = Dim.Symbol("b"), T = Dim.Symbol("t");

    [Theory]
    [InlineData(StateUpdate.Linear, 2, 2, 2, 4, 3, 1)]
    [InlineData(StateUpdate.Linear, 1, 1, 1, 1, 1, 9)]
    [InlineData(StateUpdate.Gated, 4, 2, 1, 5, 2, 17)]
    [InlineData(StateUpdate.Delta, 2, 2, 2, 8, 8, 11)]
    [InlineData(StateUpdate.Delta, 6, 3, 3, 2, 7, 5)]
    [InlineData(StateUpdate.GatedDelta, 4, 2, 2, 64, 64, 33)]
    [InlineData(StateUpdate.GatedDelta, 3, 1, 3, 6, 4, 70)]
    public void LinearAttention_AnyRule_EqualsTheRecurrence(StateUpdate update, long heads, long queryHeads, long keyHeads, long width, long wide, long length)
    {
        const long batch = 2;
        var (gated, delta) = (update is StateUpdate.Gated or StateUpdate.GatedDelta, update is StateUpdate.Delta or StateUpdate.GatedDelta);
        var (q, k, v) = (Runtime.Numbers(1, batch, length, queryHeads * width), Scaled(2, 1 / Math.Sqrt(width), batch, length, keyHeads * width), Runtime.Numbers(3, batch, length, heads * wide));
        var (decay, beta, first) = (Logarithms(4, batch, length, heads), Shares(5, batch, length, heads), Runtime.Numbers(6, batch, heads, width, wide));
        var (expected, last) = Naive(q, k, v, first, heads, width, wide, (b, t, h, _) => gated ? decay[b, t, h] : 0, (b, t, h) => delta ? beta[b, t, h] : null, 0.7);

        var inputs = new List<(string, Tensor)> { ("q", q), ("k", k), ("v", v), ("first", first) };
        if (gated) inputs.Add(("decay", decay));
        if (delta) inputs.Add(("beta", beta));
        Recurrence Build(Graph g) => LinearAttentionLayers.LinearAttention(g.Input("q", [B, T, queryHeads * width]), g.Input("k", [B, T, keyHeads * width]), g.Input("v", [B, T, heads * wide]), width, heads, update,
            gated ? g.Input("decay", [B, T, heads]) : null, delta ? g.Input("beta", [B, T, heads]) : null, g.Input("first", [B, heads, width, wide]), 0.7);

        Runtime.Near(expected, Runtime.Run(g => Build(g).Output, [.. inputs]), 2e-4);
        Runtime.Near(last, Runtime.Run(g => Build(g).State, [.. inputs]), 2e-4);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(3, 4, 12)]
    [InlineData(16, 16, 40)]
    public void SelectiveScan_EqualsTheRecurrence(long channels, long states, long length)
    {
        const long batch = 2;
        var (x, delta, b, c) = (Runtime.Numbers(1, batch, length, channels), Shares(2, batch, length, channels), Runtime.Numbers(3, batch, length, states), Runtime.Numbers(4, batch, length, states));
        var (a, skip) = (Runtime.Make([channels, states], at => -(1 + at[1] * 0.5)), Runtime.Numbers(5, channels));
        var expected = Tensor.Zeros<float>(batch, length, channels);
        for (var sample = 0L; sample < batch; sample++)
        {
            for (var channel = 0L; channel < channels; channel++)
            {
                var h = new double[states];
                for (var t = 0L; t < length; t++)
                {
                    double y = skip[channel] * x[sample, t, channel], step = delta[sample, t, channel];
                    for (var n = 0L; n < states; n++)
                    {
                        h[n] = Math.Exp(step * a[channel, n]) * h[n] + step * b[sample, t, n] * x[sample, t, channel];
                        y += c[sample, t, n] * h[n];
                    }

                    expected[sample, t, channel] = (float)y;
                }
            }
        }

        Runtime.Near(expected, Runtime.Run(g => LinearAttentionLayers.SelectiveScan(g.Input("x", [B, T, channels]), g.Input("delta", [B, T, channels]), g.Constant(a), g.Input("b", [B, T, states]), g.Input("c", [B, T, states]), g.Constant(skip)).Output,
            ("x", x), ("delta", delta), ("b", b), ("c", c)), 1e-4);
    }

    [Theory]
    [InlineData(1, 4, 3, 1, 6)]
    [InlineData(4, 2, 5, 2, 19)]
    [InlineData(8, 16, 16, 1, 50)]
    public void StateSpaceDual_EqualsTheRecurrence(long heads, long width, long states, long groups, long length)
    {
        const long batch = 2;
        var (x, delta, b, c) = (Runtime.Numbers(1, batch, length, heads * width), Shares(2, batch, length, heads), Runtime.Numbers(3, batch, length, groups * states), Runtime.Numbers(4, batch, length, groups * states));
        var (a, skip) = (Runtime.Make([heads], at => -0.3 * (at[0] + 1)), Runtime.Numbers(5, heads));
        var scaled = Runtime.Make([batch, length, heads * width], at => x[at] * delta[at[0], at[1], at[2] / width]);
        var (scan, _) = Naive(c, b, scaled, Tensor.Zeros<float>(batch, heads, states, width), heads, states, width, (s, t, h, _) => delta[s, t, h] * a[h], (_, _, _) => null, 1);
        var expected = Runtime.Make([batch, length, heads * width], at => scan[at] + skip[at[2] / width] * x[at]);

        Runtime.Near(expected, Runtime.Run(g => LinearAttentionLayers.StateSpaceDual(g.Input("x", [B, T, heads * width]), g.Input("delta", [B, T, heads]), g.Constant(a), g.Input("b", [B, T, groups * states]), g.Input("c", [B, T, groups * states]), states, g.Constant(skip)).Output,
            ("x", x), ("delta", delta), ("b", b), ("c", c)), 1e-4);
    }

    [Theory]
    [InlineData(1, 4, true)]
    [InlineData(5, 2, false)]
    [InlineData(9, 3, true)]
    public void CausalChannelConv_SeesTheStateThenTheInput(long length, long kernel, bool silu)
    {
        const long batch = 2, channels = 3;
        var (x, before, weight, bias) = (Runtime.Numbers(1, batch, length, channels), Runtime.Numbers(2, batch, channels, kernel - 1), Runtime.Numbers(3, channels, 1, kernel), Runtime.Numbers(4, channels));
        double At(long sample, long channel, long t) => t < 0 ? before[sample, channel, kernel - 1 + t] : x[sample, t, channel];
        var weights = new TestWeights(("weight", weight), ("bias", bias));
        Recurrence Build(Scope scope) => scope.CausalChannelConv(scope.Graph.Input("x", [B, T, channels]), kernel, silu, scope.Graph.Input("before", [B, channels, kernel - 1]));

        Runtime.Near(Runtime.Make([batch, length, channels], at =>
        {
            var sum = (double)bias[at[2]];
            for (var i = 0L; i < kernel; i++) sum += weight[at[2], 0, i] * At(at[0], at[2], at[1] - kernel + 1 + i);
            return silu ? sum / (1 + Math.Exp(-sum)) : sum;
        }), Runtime.Run(scope => Build(scope).Output, weights, ("x", x), ("before", before)));
        Runtime.Near(Runtime.Make([batch, channels, kernel - 1], at => At(at[0], at[1], length - kernel + 1 + at[2])), Runtime.Run(scope => Build(scope).State, weights, ("x", x), ("before", before)), 0);
    }

    [Fact]
    public void LinearAttention_WithoutWhatTheRuleNeeds_IsRefused()
    {
        var g = new Graph("test");
        var x = g.Input("x", [B, T, 8]);
        Assert.Throws<GraphException>(() => LinearAttentionLayers.LinearAttention(x, x, x, 4, 2, StateUpdate.Gated));
        Assert.Throws<GraphException>(() => LinearAttentionLayers.LinearAttention(x, x, x, 4, 2, StateUpdate.Linear, beta: x));
        Assert.Throws<GraphException>(() => LinearAttentionLayers.LinearAttention(x, x, x, 3, 2, StateUpdate.Linear));
        Assert.Throws<GraphException>(() => LinearAttentionLayers.LinearAttention(x, x, x, 4, 3, StateUpdate.Linear));
    }

    // S is kept as (dk, dv): S <- e^g S; S <- S + k v^T, or S + beta k (v - S^T k)^T; o = scale S^T q. A null rate is the rule without delta.
    private static (Tensor<float> Output, Tensor<float> State) Naive(
        Tensor<float> q, Tensor<float> k, Tensor<float> v, Tensor<float> first, long heads, long width, long wide, Func<long, long, long, long, double> decay, Func<long, long, long, double?> beta, double scale)
    {
        var (batch, length) = (v.Shape[0], v.Shape[1]);
        var (output, last) = (Tensor.Zeros<float>(batch, length, heads * wide), Tensor.Zeros<float>(batch, heads, width, wide));
        for (var b = 0L; b < batch; b++)
        {
            for (var h = 0L; h < heads; h++)
            {
                long qh = h * (q.Shape[2] / width) / heads * width, kh = h * (k.Shape[2] / width) / heads * width;
                var s = new double[width, wide];
                for (var i = 0L; i < width; i++)
                {
                    for (var j = 0L; j < wide; j++) s[i, j] = first[b, h, i, j];
                }

                for (var t = 0L; t < length; t++)
                {
                    for (var i = 0L; i < width; i++)
                    {
                        for (var j = 0L; j < wide; j++) s[i, j] *= Math.Exp(decay(b, t, h, i));
                    }

                    for (var j = 0L; j < wide; j++)
                    {
                        double value = v[b, t, h * wide + j];
                        if (beta(b, t, h) is { } rate)
                        {
                            for (var i = 0L; i < width; i++) value -= s[i, j] * k[b, t, kh + i];
                            value *= rate;
                        }

                        var read = 0.0;
                        for (var i = 0L; i < width; i++)
                        {
                            s[i, j] += k[b, t, kh + i] * value;
                            read += s[i, j] * q[b, t, qh + i];
                        }

                        output[b, t, h * wide + j] = (float)(scale * read);
                    }
                }

                for (var i = 0L; i < width; i++)
                {
                    for (var j = 0L; j < wide; j++) last[b, h, i, j] = (float)s[i, j];
                }
            }
        }

        return (output, last);
    }

    private static Tensor<float> Scaled(int seed, double scale, params long[] shape) => Map(seed, x => x * scale, shape);

    private static Tensor<float> Shares(int seed, params long[] shape) => Map(seed, x => (x + 1) / 2, shape);

    private static Tensor<float> Logarithms(int seed, params long[] shape) => Map(seed, x => -(x + 1), shape);

    private static Tensor<float> Map(int seed, Func<double, double> change, params long[] shape)
    {
        var tensor = Runtime.Numbers(seed, shape);
        foreach (ref var value in tensor.Span) value = (float)change(value);
        return tensor;
    }
}
