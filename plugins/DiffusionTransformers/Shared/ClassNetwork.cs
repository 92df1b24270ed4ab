using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>A denoiser conditioned on a time and a class: x (B, C, H, W), t (B), y (B) -> its prediction.</summary>
internal sealed class ClassNetwork : IDisposable
{
    private readonly Network _network;
    private readonly string _output;

    private ClassNetwork(Network network, string output, long[] sample) => (_network, _output, SampleShape) = (network, output, sample);

    /// <summary>Extents (C, H, W) of what it takes.</summary>
    public IReadOnlyList<long> SampleShape { get; }

    /// <summary>Builds it over a checkpoint.</summary>
    /// <param name="context">Engine, weights, device.</param>
    /// <param name="name">Name of the network, for messages.</param>
    /// <param name="output">Name of its prediction.</param>
    /// <param name="sample">Extents (C, H, W) of what it takes.</param>
    /// <param name="build">Scope, x, t and y to the prediction.</param>
    public static ClassNetwork Build(NetworkContext context, string name, string output, long[] sample, Func<Scope, Value, Value, Value, Value> build) =>
        new(Network.Build(context, name, scope => Declare(scope, output, sample, build), independentRows: true), output, sample);

    /// <summary>The tensors that it needs.</summary>
    public static IReadOnlyList<string> Inventory(long[] sample, Func<Scope, Value, Value, Value, Value> build) => Network.Inventory(scope => Declare(scope, "output", sample, build));

    /// <summary>The prediction and every stage.</summary>
    public async Task<CallResults> ForwardAsync(Tensor x, Tensor t, Tensor y, CancellationToken cancel) =>
        (await _network.RunAsync(cancel, ("x", x), ("t", Times(t)), ("y", y)).ConfigureAwait(false)).ToResults();

    /// <summary>The prediction at one time for all samples.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> x, float t, Tensor<long> y, CancellationToken cancel) =>
        (await _network.RunAsync(cancel, ("x", x), ("t", Batch.Filled(x.Shape[0], t)), ("y", y)).ConfigureAwait(false))[_output];

    /// <inheritdoc/>
    public void Dispose() => _network.Dispose();

    /// <summary>Times as float, which whole ones are exactly.</summary>
    public static Tensor<float> Times(Tensor t)
    {
        if (t.Type == ElementType.Float32) return t.As<float>();
        var result = Tensor.Zeros<float>(t.Shape);
        for (var i = 0; i < t.Length; i++) result.Span[i] = t.Type == ElementType.Float64 ? (float)t.As<double>().Span[i] : t.As<long>().Span[i];
        return result;
    }

    private static void Declare(Scope scope, string output, long[] sample, Func<Scope, Value, Value, Value, Value> build)
    {
        var g = scope.Graph;
        var batch = Dim.Symbol("batch");
        var x = g.Input("x", [batch, sample[0], sample[1], sample[2]]);
        g.Output(output, build(scope, x, g.Input("t", [batch]), g.Input("y", ElementType.Int64, [batch])));
    }
}
