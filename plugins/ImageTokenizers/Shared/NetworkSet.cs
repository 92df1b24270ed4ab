using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>A network whose graph depends on the size of the grid (or picture) that it works on.</summary>
/// <param name="Build">Declares it for a number of rows and columns.</param>
/// <param name="Rows">Rows of the published size, which is built when the model opens.</param>
/// <param name="Columns">Columns of the published size.</param>
internal sealed record SizedNetwork(Action<Scope, int, int> Build, int Rows, int Columns);

/// <summary>
/// The networks of one checkpoint by name, each built once. The name is that of the call in the authors' interface, the network's inputs carry the names of the call's arguments. Sized networks are built for the published size
/// at once, and for another when it is first asked for.
/// </summary>
internal sealed class NetworkSet : IDisposable
{
    private readonly Dictionary<string, Network> _networks = [];
    private readonly NetworkCache<(string Name, int Rows, int Columns)> _sized;

    /// <summary>Builds all networks.</summary>
    /// <exception cref="CheckpointException">The checkpoint lacks tensors; the message lists them.</exception>
    public NetworkSet(NetworkContext context, string model, IEnumerable<KeyValuePair<string, Action<Scope>>> build, IReadOnlyDictionary<string, SizedNetwork> sized)
    {
        _sized = new(key => Network.Build(context, $"{model}/{key.Name} {key.Rows}x{key.Columns}", scope => sized[key.Name].Build(scope, key.Rows, key.Columns)));
        try
        {
            foreach (var (name, make) in build) _networks.Add(name, Network.Build(context, $"{model}/{name}", make));
            foreach (var (name, network) in sized) _ = _sized[(name, network.Rows, network.Columns)];
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Names of the networks of one size.</summary>
    public IReadOnlyCollection<string> Names => _networks.Keys;

    /// <summary>Runs a network on the thread pool.</summary>
    public Task<NetworkOutputs> RunAsync(string name, CancellationToken cancel, params (string Name, Tensor Tensor)[] inputs) => _networks[name].RunAsync(cancel, inputs);

    /// <summary>Runs a network with the arguments that carry its inputs' names.</summary>
    public Task<NetworkOutputs> RunAsync(string name, CallArguments arguments, CancellationToken cancel) => RunAsync(_networks[name], arguments, cancel);

    /// <summary>Runs a sized network on the thread pool, which also builds it.</summary>
    public Task<NetworkOutputs> RunAsync(string name, long rows, long columns, CancellationToken cancel, params (string Name, Tensor Tensor)[] inputs) =>
        Task.Run(() => _sized[(name, (int)rows, (int)columns)].Run(cancel, inputs), cancel);

    /// <summary>Runs a sized network with the arguments that carry its inputs' names.</summary>
    public async Task<NetworkOutputs> RunAsync(string name, long rows, long columns, CallArguments arguments, CancellationToken cancel) =>
        await RunAsync(await Task.Run(() => _sized[(name, (int)rows, (int)columns)], cancel).ConfigureAwait(false), arguments, cancel).ConfigureAwait(false);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var network in _networks.Values) network.Dispose();
        _sized.Dispose();
    }

    private static Task<NetworkOutputs> RunAsync(Network network, CallArguments arguments, CancellationToken cancel) =>
        network.RunAsync(cancel, [.. network.Session.Inputs.Select(port => (port.Name, Convert(arguments.Tensor(port.Name), port.Type)))]);

    private static Tensor Convert(Tensor tensor, ElementType type)
    {
        if (tensor is not Tensor<int> ids || type != ElementType.Int64) return tensor;
        var wide = Tensor.Zeros<long>(ids.Shape);
        for (var i = 0; i < wide.Length; i++) wide.Span[i] = ids.Span[i];
        return wide;
    }
}
