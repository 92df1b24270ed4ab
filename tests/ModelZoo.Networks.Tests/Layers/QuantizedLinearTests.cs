using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Tests.Layers;

public class QuantizedLinearTests
{
    [Theory]
    [InlineData(WeightPrecision.Int8, 1, 32, 40, false)]
    [InlineData(WeightPrecision.Int8, 7, 256, 96, false)]
    [InlineData(WeightPrecision.Int8, 3, 768, 50, true)]
    [InlineData(WeightPrecision.Int4, 1, 64, 16, false)]
    [InlineData(WeightPrecision.Int4, 7, 256, 96, false)]
    [InlineData(WeightPrecision.Int4, 3, 768, 50, true)]
    public void Linear_WeightsInFewerBits_StaysWithinTheStatedTolerance(WeightPrecision precision, long rows, long inputs, long outputs, bool inOut)
    {
        var weights = new TestWeights(("weight", inOut ? Runtime.Numbers(1, inputs, outputs) : Runtime.Numbers(1, outputs, inputs)), ("bias", Runtime.Numbers(2, outputs)));
        var x = Runtime.Numbers(3, rows, inputs);
        Tensor<float> Run(WeightPrecision kept)
        {
            using var network = Network.Build(new(Runtime.Engine, weights) { Session = new() { Precision = kept } }, "test", scope =>
            {
                var input = scope.Graph.Input("x", [Dim.Symbol("n"), inputs]);
                scope.Graph.Output("y", inOut ? scope.LinearInOut(input, outputs) : scope.Linear(input, outputs));
            });
            Assert.Equal(kept == WeightPrecision.Float32, network.Session.Memory.PrivateBytes + network.Session.Memory.MappedBytes >= 4 * inputs * outputs);
            return network.Run(default, ("x", x))["y"];
        }

        var (exact, rounded) = (Run(WeightPrecision.Float32), Run(precision));
        var (error, size) = (0.0, 0.0);
        for (var i = 0; i < exact.Length; i++)
        {
            error += Math.Pow(rounded.Span[i] - exact.Span[i], 2);
            size += Math.Pow(exact.Span[i], 2);
        }

        Assert.InRange(Math.Sqrt(error / size), 1e-7, precision.Tolerance());
    }

    [Fact]
    public void Linear_NarrowMap_KeepsItsFloats()
    {
        var weights = new TestWeights(("weight", Runtime.Numbers(1, 5, 24)), ("bias", Runtime.Numbers(2, 5)));
        var x = Runtime.Numbers(3, 4, 24);
        using var network = Network.Build(new(Runtime.Engine, weights) { Session = new() { Precision = WeightPrecision.Int4 } }, "test", scope => scope.Graph.Output("y", scope.Linear(scope.Graph.Input("x", [4, 24]), 5)));
        Runtime.Near(Runtime.Run(scope => scope.Linear(scope.Graph.Input("x", [4, 24]), 5), weights, ("x", x)), network.Run(default, ("x", x))["y"], 0);
    }
}
