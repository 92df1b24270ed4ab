using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>A built network on a device. Runs may go on side by side.</summary>
public sealed class Network : IDisposable
{
    private readonly RowBatcher? _batcher;

    private readonly ShapeLaws? _laws;

    private readonly KeyValueStore? _store;

    private Network(Session session, RowBatcher? batcher, KeyValueStore? store, ShapeLaws? laws) => (Session, _batcher, _store, _laws) = (session, batcher, store, laws);

    /// <summary>The session; for loops that keep their state on the device.</summary>
    public Session Session { get; }

    /// <summary>Builds a graph over a checkpoint and makes a session of it. With a <see cref="KeyValueCache"/> in the graph it runs by <see cref="Begin"/>, and steps of several requests are one run.</summary>
    /// <param name="context">Engine, weights, device.</param>
    /// <param name="name">Name of the network, for messages.</param>
    /// <param name="build">Declares inputs and outputs on the scope's graph and takes weights from the scope.</param>
    /// <param name="independentRows">True when all inputs and outputs begin with the batch's extent and no row sees another: runs of several requests may then be one.</param>
    /// <exception cref="CheckpointException">Tensors are missing or have other shapes; the message lists them all.</exception>
    /// <exception cref="GraphException">Shapes do not fit; the message names the node's path.</exception>
    public static Network Build(NetworkContext context, string name, Action<Scope> build, bool independentRows = false)
    {
        // Layers are built for the device that the network will run on.
        var device = context.Runtime.Resolve(context.Session.Device, context.Session.AllowCpuFallback);
        var graph = new Graph(name, context.Stages, device, context.Session.Precision);
        var requests = new WeightRequests();
        build(Scope.Root(graph, context.Weights, requests));
        requests.ThrowIfAny(context.Weights);
        var definition = graph.Finish();
        requests.LeaveSources(definition);
        var session = context.Runtime.CreateSession(definition, context.Session with { Device = device });
        var batching = context.Batching.Limit > 1 && !context.Stages ? context.Batching : null;
        // Stages need not have rows.
        if (independentRows) RowBatcher.Require(name, context.Stages ? session.Inputs : session.Inputs.Concat(session.Outputs));
        return graph.Cache is { } cache
            ? new(session, null, new(session, cache.Count, batching), null)
            : new(session, independentRows && batching is not null ? new(session, batching) : null, null, context.Stages ? graph.Laws : null);
    }

    /// <summary>The tensors that a network needs: <c>name [shape]</c>, sorted; no checkpoint is read.</summary>
    public static IReadOnlyList<string> Inventory(Action<Scope> build)
    {
        var requests = new WeightRequests(inventory: true);
        build(Scope.Root(new("inventory"), NoTensors.Instance, requests));
        return [.. requests.Inventory];
    }

    /// <summary>Multiplications with an addition that a run of a network takes in its matrix products, convolutions, attention and recurrences; no checkpoint is read.</summary>
    /// <exception cref="InvalidOperationException">An extent that this depends on is symbolic.</exception>
    public static long MultiplyAdds(Action<Scope> build)
    {
        var graph = new Graph("cost");
        build(Scope.Root(graph, NoTensors.Instance, new(inventory: true)));
        return GraphCost.MultiplyAdds(graph);
    }

    /// <summary>Runs on the calling thread. With stages (which parity asks for) the shape of every output is held against what the graph declares.</summary>
    public NetworkOutputs Run(CancellationToken cancel, params ReadOnlySpan<(string Name, Tensor Tensor)> inputs)
    {
        var named = new Dictionary<string, Tensor>(inputs.Length);
        foreach (var (name, tensor) in inputs) named[name] = tensor;
        var results = Session.Run(named, null, cancel);
        _laws?.Check(named, results);
        return new(Session.Outputs, results);
    }

    /// <summary>Runs on the thread pool; together with runs of other requests where rows are independent.</summary>
    public async Task<NetworkOutputs> RunAsync(CancellationToken cancel, params (string Name, Tensor Tensor)[] inputs) => _batcher is null
        ? await Task.Run(() => Run(cancel, inputs), cancel).ConfigureAwait(false)
        : new(Session.Outputs, await _batcher.RunAsync(inputs.ToDictionary(input => input.Name, input => input.Tensor), cancel).ConfigureAwait(false));

    /// <summary>Sequences of a request, over the <see cref="KeyValueCache"/> that the graph declares.</summary>
    /// <param name="rows">Sequences side by side, all of one length.</param>
    /// <exception cref="InvalidOperationException">The graph declares none.</exception>
    public KeyValueState Begin(int rows) => (_store ?? throw new InvalidOperationException($"The network '{Session.Name}' has no cache.")).Begin(rows);

    /// <summary>Bytes that caches of requests take now.</summary>
    public long CacheBytes => _store?.Bytes ?? 0;

    /// <inheritdoc/>
    public void Dispose() => Session.Dispose();

    private sealed class NoTensors : ITensorSource
    {
        public static readonly NoTensors Instance = new();

        public string Origin => "inventory";

        public IReadOnlyCollection<TensorInfo> Tensors => [];

        public WeightData? Find(string name) => null;

        public WeightData Derive(string key, Func<WeightData> make) => make();
    }
}

/// <summary>What a run of a network gave, by name and in the order of its outputs.</summary>
public sealed class NetworkOutputs
{
    private readonly IReadOnlyList<string> _order;
    private readonly IReadOnlyDictionary<string, Tensor> _tensors;

    internal NetworkOutputs(IReadOnlyList<GraphPort> order, IReadOnlyDictionary<string, Tensor> tensors)
    {
        _order = [.. order.Select(port => port.Name)];
        _tensors = tensors;
    }

    /// <summary>True when there is an output of that name; stages are only there when they are asked for.</summary>
    public bool Has(string name) => _tensors.ContainsKey(name);

    /// <summary>The float output of that name.</summary>
    public Tensor<float> this[string name] => _tensors[name].As<float>();

    /// <summary>The output of that name as <typeparamref name="T"/>.</summary>
    public Tensor<T> Get<T>(string name) where T : unmanaged => _tensors[name].As<T>();

    /// <summary>All outputs as the results of a reference call, stages included.</summary>
    public CallResults ToResults() => _order.Aggregate(new CallResults(), (results, name) => results.Add(name, _tensors[name]));
}
