using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>
/// Keys and values of the positions that came before, for attention that is not merely causal: whole blocks that see each other, or given masks. They are inputs and outputs of the graph, <c>past_key_0</c>.. (rows, past, width)
/// and <c>present_key_0</c>.. (rows, past + new, width); <see cref="GrowingState"/> carries them from step to step on the device.
/// </summary>
internal sealed class GrowingCache
{
    private readonly (Value Key, Value Value)[] _past;

    /// <summary>Declares the inputs of all layers.</summary>
    public GrowingCache(Graph graph, Dim rows, int layers, long width) =>
        _past = [.. Enumerable.Range(0, layers).Select(i => (graph.Input($"past_key_{i}", [rows, Past, width]), graph.Input($"past_value_{i}", [rows, Past, width])))];

    /// <summary>New positions at the end that are forgotten after the step.</summary>
    public long Forgotten { get; init; }

    /// <summary>Number of positions that came before.</summary>
    public static Dim Past { get; } = Dim.Symbol("past");

    /// <summary>Attention of new positions to all that came before and to all new ones. q, k, v (rows, N, heads W) -> (rows, N, heads W); a bias is over (past + N) keys.</summary>
    public Value Attention(int layer, Value q, Value k, Value v, AttentionOptions options)
    {
        (k, v) = (ValueShape.Concat(1, _past[layer].Key, k), ValueShape.Concat(1, _past[layer].Value, v));
        q.Graph.Output($"present_key_{layer}", k.Take(1, k.Shape[1] - Forgotten));
        q.Graph.Output($"present_value_{layer}", v.Take(1, v.Shape[1] - Forgotten));
        return AttentionLayers.Attention(q, k, v, options);
    }
}

/// <summary>What a <see cref="GrowingCache"/> holds, between the steps of one request. Not for two threads at once.</summary>
internal sealed class GrowingState : IDisposable
{
    private readonly BoundRun _run;
    private readonly string[] _caches, _results;
    private readonly Dictionary<string, DeviceTensor> _held = [];

    /// <summary>Nothing came before.</summary>
    public GrowingState(Network network, long rows)
    {
        var session = network.Session;
        _run = session.Bind();
        _caches = [.. session.Inputs.Where(port => port.Name.StartsWith("past_", StringComparison.Ordinal)).Select(port => port.Name["past_".Length..])];
        _results = [.. session.Outputs.Select(port => port.Name).Where(name => !name.StartsWith("present_", StringComparison.Ordinal))];
        foreach (var port in session.Inputs.Where(port => port.Name.StartsWith("past_", StringComparison.Ordinal)))
            Hold(port.Name["past_".Length..], session.Allocate(port.Type, rows, 0, port.Shape[2].Size));
    }

    /// <summary>Other keys and values before the first step, such as those of a text: tensors <c>key_0</c>, <c>value_0</c>.. (rows, past, width).</summary>
    public GrowingState(Network network, NetworkOutputs past) : this(network, past["key_0"].Shape[0])
    {
        foreach (var name in _caches) Hold(name, network.Session.Upload(past[name]));
    }

    /// <summary>What another state holds, which it gives up: for a network whose first step is another one.</summary>
    public GrowingState(Network network, GrowingState before) : this(network, 0)
    {
        foreach (var name in _caches)
        {
            before._held.Remove(name, out var tensor);
            Hold(name, tensor!);
        }
    }

    /// <summary>Runs new positions on the thread pool and keeps their keys and values. Gives the other outputs by name, stages included.</summary>
    public Task<IReadOnlyDictionary<string, Tensor>> StepAsync(CancellationToken cancel, params (string Name, Tensor Tensor)[] inputs) => Task.Run(() => Step(cancel, inputs), cancel);

    /// <inheritdoc/>
    public void Dispose()
    {
        _run.Dispose();
        foreach (var tensor in _held.Values) tensor.Dispose();
    }

    private IReadOnlyDictionary<string, Tensor> Step(CancellationToken cancel, (string Name, Tensor Tensor)[] inputs)
    {
        foreach (var (name, tensor) in inputs) _run.Bind(name, tensor);
        foreach (var name in _results) _run.BindOutput(name);
        foreach (var name in _caches) _run.BindOutput($"present_{name}");
        _run.Run(cancel);
        var results = new Dictionary<string, Tensor>();
        foreach (var name in _results)
        {
            using var result = _run.Take(name);
            results[name] = result.ToTensor();
        }

        foreach (var name in _caches) Hold(name, _run.Take($"present_{name}"));
        return results;
    }

    private void Hold(string name, DeviceTensor tensor)
    {
        _run.Bind($"past_{name}", tensor);
        if (_held.Remove(name, out var before)) before.Dispose();
        _held[name] = tensor;
    }
}
