using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class MambaTests
{
    private const long Model = 6, Inner = 8, States = 3, Rank = 2, Kernel = 4, Heads = 4, Width = 2, Groups = 2;

    [Theory]
    [InlineData(1)]
    [InlineData(13)]
    public void Mamba_EqualsTheAuthorsSteps(long length)
    {
        var weights = new Dictionary<string, Tensor<float>>
        {
            ["in_proj.weight"] = Runtime.Numbers(1, 2 * Inner, Model), ["conv1d.weight"] = Runtime.Numbers(2, Inner, 1, Kernel), ["conv1d.bias"] = Runtime.Numbers(3, Inner),
            ["x_proj.weight"] = Runtime.Numbers(4, Rank + 2 * States, Inner), ["dt_proj.weight"] = Runtime.Numbers(5, Inner, Rank), ["dt_proj.bias"] = Runtime.Numbers(6, Inner),
            ["A_log"] = Runtime.Numbers(7, Inner, States), ["D"] = Runtime.Numbers(8, Inner), ["out_proj.weight"] = Runtime.Numbers(9, Model, Inner),
        };
        var x = Runtime.Numbers(10, 1, length, Model);

        var (convolved, scan, expected) = (new List<double[]>(), new double[Inner, States], Tensor.Zeros<float>(1, length, Model));
        for (var t = 0; t < length; t++)
        {
            var both = Product(weights["in_proj.weight"], Row(x, t));
            convolved.Add(both[..(int)Inner]);
            var u = Convolved(convolved, weights);
            var parts = Product(weights["x_proj.weight"], u);
            var steps = Product(weights["dt_proj.weight"], parts[..(int)Rank]);
            var y = new double[Inner];
            for (var d = 0; d < Inner; d++)
            {
                var delta = Softplus(steps[d] + weights["dt_proj.bias"][d]);
                y[d] = weights["D"][d] * u[d];
                for (var n = 0; n < States; n++)
                {
                    scan[d, n] = Math.Exp(-Math.Exp(weights["A_log"][d, n]) * delta) * scan[d, n] + delta * parts[Rank + n] * u[d];
                    y[d] += parts[Rank + States + n] * scan[d, n];
                }

                y[d] *= Silu(both[Inner + d]);
            }

            Write(expected, t, Product(weights["out_proj.weight"], y));
        }

        Check(expected, x, weights, (scope, input, before) => scope.Mamba(input, Inner, States, Rank, Kernel, before), [1, Inner, Kernel - 1], [1, Inner, States, 1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(13)]
    public void Mamba2_EqualsTheAuthorsSteps(long length)
    {
        const long shared = Groups * States, channels = Inner + 2 * shared;
        var weights = new Dictionary<string, Tensor<float>>
        {
            ["in_proj.weight"] = Runtime.Numbers(1, 2 * Inner + 2 * shared + Heads, Model), ["conv1d.weight"] = Runtime.Numbers(2, channels, 1, Kernel), ["conv1d.bias"] = Runtime.Numbers(3, channels),
            ["dt_bias"] = Runtime.Numbers(4, Heads), ["A_log"] = Runtime.Numbers(5, Heads), ["D"] = Runtime.Numbers(6, Heads), ["norm.weight"] = Runtime.Numbers(7, Inner), ["out_proj.weight"] = Runtime.Numbers(8, Model, Inner),
        };
        var x = Runtime.Numbers(9, 1, length, Model);

        var (convolved, scan, expected) = (new List<double[]>(), new double[Inner, States], Tensor.Zeros<float>(1, length, Model));
        for (var t = 0; t < length; t++)
        {
            var all = Product(weights["in_proj.weight"], Row(x, t));
            convolved.Add(all[(int)Inner..(int)(Inner + channels)]);
            var u = Convolved(convolved, weights);
            var y = new double[Inner];
            for (var i = 0; i < Inner; i++)
            {
                var head = i / Width;
                var group = head / (Heads / Groups);
                var delta = Softplus(all[Inner + channels + head] + weights["dt_bias"][head]);
                y[i] = weights["D"][head] * u[i];
                for (var n = 0; n < States; n++)
                {
                    scan[i, n] = Math.Exp(-Math.Exp(weights["A_log"][head]) * delta) * scan[i, n] + delta * u[Inner + group * States + n] * u[i];
                    y[i] += u[Inner + shared + group * States + n] * scan[i, n];
                }

                y[i] *= Silu(all[i]);
            }

            var root = Math.Sqrt(y.Average(value => value * value) + 1e-5);
            Write(expected, t, Product(weights["out_proj.weight"], [.. y.Select((value, i) => value / root * weights["norm.weight"][i])]));
        }

        Check(expected, x, weights, (scope, input, before) => scope.Mamba2(input, Heads, Width, States, Groups, Kernel, before: before), [1, channels, Kernel - 1], [1, Heads, States, Width]);
    }

    // The whole at once, and step by step from the state of the step before.
    private static void Check(Tensor<float> expected, Tensor<float> x, Dictionary<string, Tensor<float>> weights, Func<Scope, Value, MambaState?, (Value Output, MambaState State)> layer, Shape convolution, Shape scan)
    {
        var source = new TestWeights([.. weights.Select(pair => (pair.Key, pair.Value))]);
        Runtime.Near(expected, Runtime.Run(scope => layer(scope, scope.Graph.Input("x", [1, Dim.Symbol("t"), Model]), null).Output, source, ("x", x)), 1e-4);

        using var network = Network.Build(new(Runtime.Engine, source) { Stages = true }, "step", scope =>
        {
            var (output, state) = layer(scope, scope.Graph.Input("x", [1, 1, Model]), new(scope.Graph.Input("convolution", convolution), scope.Graph.Input("scan", scan)));
            scope.Graph.Output("y", output);
            scope.Graph.Output("next_convolution", state.Convolution);
            scope.Graph.Output("next_scan", state.Scan);
        });
        (Tensor<float> Convolution, Tensor<float> Scan) before = (Tensor.Zeros<float>(convolution.Sizes), Tensor.Zeros<float>(scan.Sizes));
        for (var t = 0L; t < x.Shape[1]; t++)
        {
            var outputs = network.Run(default, ("x", Runtime.Make([1, 1, Model], at => x[0, t, at[2]])), ("convolution", before.Convolution), ("scan", before.Scan));
            before = (outputs["next_convolution"], outputs["next_scan"]);
            Runtime.Near(Runtime.Make([1, 1, Model], at => expected[0, t, at[2]]), outputs["y"], 1e-4);
        }
    }

    private static double[] Convolved(List<double[]> inputs, Dictionary<string, Tensor<float>> weights) => [.. Enumerable.Range(0, inputs[0].Length).Select(channel =>
    {
        var sum = (double)weights["conv1d.bias"][channel];
        for (var i = 0; i < Kernel; i++)
        {
            var at = inputs.Count - (int)Kernel + i;
            if (at >= 0) sum += weights["conv1d.weight"][channel, 0, i] * inputs[at][channel];
        }

        return Silu(sum);
    })];

    private static double[] Product(Tensor<float> weight, double[] x) => [.. Enumerable.Range(0, (int)weight.Shape[0]).Select(row => x.Select((value, column) => value * weight[row, column]).Sum())];

    private static double[] Row(Tensor<float> x, long t) => [.. Enumerable.Range(0, (int)Model).Select(i => (double)x[0, t, i])];

    private static void Write(Tensor<float> y, long t, double[] row)
    {
        for (var i = 0; i < row.Length; i++) y[0, t, i] = (float)row[i];
    }

    private static double Silu(double x) => x / (1 + Math.Exp(-x));

    private static double Softplus(double x) => Math.Log(1 + Math.Exp(x));
}
