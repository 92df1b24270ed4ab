using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class RecurrentTests
{
    private const long Inputs = 3, Hidden = 4, Steps = 6, Batch = 2;

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    public void Lstm_HasPyTorchsGates(int layers, bool bidirectional)
    {
        var weights = Weights(4, layers, bidirectional);
        var x = Runtime.Numbers(1, Steps, Batch, Inputs);
        var y = Runtime.Run(scope => scope.Lstm(scope.Graph.Input("x", [Dim.Symbol("t"), Dim.Symbol("b"), Inputs]), Hidden, layers, bidirectional), new([.. weights.Select(pair => (pair.Key, pair.Value))]), ("x", x));
        Runtime.Near(Naive(x, weights, layers, bidirectional, LstmStep), y);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public void Gru_ResetsAfterTheProduct(int layers, bool bidirectional)
    {
        var weights = Weights(3, layers, bidirectional);
        var x = Runtime.Numbers(1, Steps, Batch, Inputs);
        var y = Runtime.Run(scope => scope.Gru(scope.Graph.Input("x", [Dim.Symbol("t"), Dim.Symbol("b"), Inputs]), Hidden, layers, bidirectional), new([.. weights.Select(pair => (pair.Key, pair.Value))]), ("x", x));
        Runtime.Near(Naive(x, weights, layers, bidirectional, GruStep), y);
    }

    [Fact]
    public void Gru_LengthsAndInitialState_EndAtTheTrueLastStep()
    {
        var weights = Weights(3, 1, bidirectional: true);
        var (x, first) = (Runtime.Numbers(1, Steps, Batch, Inputs), Runtime.Numbers(2, 2, Batch, Hidden));
        long[] lengths = [6, 4];
        var last = Runtime.Run(scope => scope.GruLast(scope.Graph.Input("x", [Dim.Symbol("t"), Dim.Symbol("b"), Inputs]), Hidden, bidirectional: true, scope.Graph.Input("h", [2, Dim.Symbol("b"), Hidden]),
            scope.Graph.Input("lengths", ElementType.Int64, [Dim.Symbol("b")])), new([.. weights.Select(pair => (pair.Key, pair.Value))]), ("x", x), ("h", first), ("lengths", Tensor.Create(lengths, 2)));
        var expected = Runtime.Make([Batch, 2 * Hidden], at =>
        {
            var (sample, direction) = (at[0], at[1] / Hidden);
            double[] h = [.. Enumerable.Range(0, (int)Hidden).Select(i => (double)first[direction, sample, i])], c = new double[Hidden];
            for (var step = 0L; step < lengths[sample]; step++)
            {
                var t = direction == 0 ? step : lengths[sample] - 1 - step;
                GruStep([.. Enumerable.Range(0, (int)Inputs).Select(i => (double)x[t, sample, i])], h, c, weights, direction == 0 ? "_l0" : "_l0_reverse");
            }

            return h[at[1] % Hidden];
        });
        Runtime.Near(expected, last);
    }

    private static Dictionary<string, Tensor<float>> Weights(long gates, int layers, bool bidirectional)
    {
        var weights = new Dictionary<string, Tensor<float>>();
        for (var layer = 0; layer < layers; layer++)
        {
            var inputs = layer == 0 ? Inputs : bidirectional ? 2 * Hidden : Hidden;
            foreach (var suffix in bidirectional ? new[] { $"_l{layer}", $"_l{layer}_reverse" } : [$"_l{layer}"])
            {
                weights[$"weight_ih{suffix}"] = Runtime.Numbers(weights.Count + 10, gates * Hidden, inputs);
                weights[$"weight_hh{suffix}"] = Runtime.Numbers(weights.Count + 10, gates * Hidden, Hidden);
                weights[$"bias_ih{suffix}"] = Runtime.Numbers(weights.Count + 10, gates * Hidden);
                weights[$"bias_hh{suffix}"] = Runtime.Numbers(weights.Count + 10, gates * Hidden);
            }
        }

        return weights;
    }

    private delegate void Step(double[] x, double[] h, double[] c, Dictionary<string, Tensor<float>> weights, string suffix);

    private static Tensor<float> Naive(Tensor<float> x, Dictionary<string, Tensor<float>> weights, int layers, bool bidirectional, Step step)
    {
        for (var layer = 0; layer < layers; layer++)
        {
            var next = Tensor.Zeros<float>(Steps, Batch, bidirectional ? 2 * Hidden : Hidden);
            for (var sample = 0L; sample < Batch; sample++)
            {
                for (var direction = 0; direction < (bidirectional ? 2 : 1); direction++)
                {
                    double[] h = new double[Hidden], c = new double[Hidden];
                    for (var s = 0L; s < Steps; s++)
                    {
                        var t = direction == 0 ? s : Steps - 1 - s;
                        step([.. Enumerable.Range(0, (int)x.Shape[2]).Select(i => (double)x[t, sample, i])], h, c, weights, direction == 0 ? $"_l{layer}" : $"_l{layer}_reverse");
                        for (var i = 0L; i < Hidden; i++) next[t, sample, direction * Hidden + i] = (float)h[i];
                    }
                }
            }

            x = next;
        }

        return x;
    }

    private static void LstmStep(double[] x, double[] h, double[] c, Dictionary<string, Tensor<float>> weights, string suffix)
    {
        var gates = Affine(x, weights["weight_ih" + suffix], weights["bias_ih" + suffix]).Zip(Affine(h, weights["weight_hh" + suffix], weights["bias_hh" + suffix]), (a, b) => a + b).ToArray();
        for (var i = 0; i < Hidden; i++)
        {
            var (input, forget, cell, output) = (Sigmoid(gates[i]), Sigmoid(gates[Hidden + i]), Math.Tanh(gates[2 * Hidden + i]), Sigmoid(gates[3 * Hidden + i]));
            c[i] = forget * c[i] + input * cell;
            h[i] = output * Math.Tanh(c[i]);
        }
    }

    private static void GruStep(double[] x, double[] h, double[] c, Dictionary<string, Tensor<float>> weights, string suffix)
    {
        var (a, b) = (Affine(x, weights["weight_ih" + suffix], weights["bias_ih" + suffix]), Affine(h, weights["weight_hh" + suffix], weights["bias_hh" + suffix]));
        for (var i = 0; i < Hidden; i++)
        {
            var (reset, update) = (Sigmoid(a[i] + b[i]), Sigmoid(a[Hidden + i] + b[Hidden + i]));
            var candidate = Math.Tanh(a[2 * Hidden + i] + reset * b[2 * Hidden + i]);
            h[i] = (1 - update) * candidate + update * h[i];
        }
    }

    private static double[] Affine(double[] x, Tensor<float> weight, Tensor<float> bias) => [.. Enumerable.Range(0, (int)weight.Shape[0]).Select(row => bias[row] + x.Select((value, i) => value * weight[row, i]).Sum())];

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
