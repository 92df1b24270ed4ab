using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Runtime;

public sealed class SessionTests : IClassFixture<RuntimeFixture>
{
    private readonly InferenceRuntime _runtime;

    public SessionTests(RuntimeFixture fixture) => _runtime = fixture.Runtime;

    [Fact]
    public void Run_GraphOfWeightsAndInput_ComputesIt()
    {
        using var session = _runtime.CreateSession(Graphs.Linear(rows: 3, columns: 64));
        var x = Tensor.Create([1f, 2, 3], 1, 3);

        var y = session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].As<float>();

        Assert.Equal([1, 64], y.Shape.ToArray());
        for (var i = 0; i < 64; i++) Assert.Equal(1 * i + 2 * (64 + i) + 3 * (128 + i), y[0, i]);
    }
}
