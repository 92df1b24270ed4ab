using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The networks of one checkpoint by name, each built once. The name is that of the call in the authors' interface, the network's inputs carry the names of the call's arguments.</summary>
internal sealed class NetworkSet : IDisposable
{
    private readonly Dictionary<string, Network> _networks = [];

    /// <summary>Builds all networks.</summary>
    /// <exception cref="CheckpointException">The checkpoint lacks tensors; the message lists them.</exception>
    public NetworkSet(NetworkContext context, string model, IEnumerable<KeyValuePair<string, Action<Scope>>> build)
    {
        try
        {
            foreach (var (name, make) in build) _networks.Add(name, Network.Build(context, $"{model}/{name}", make));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Names of the networks.</summary>
    public IReadOnlyCollection<string> Names => _networks.Keys;

    /// <summary>Runs a network on the thread pool.</summary>
    public Task<NetworkOutputs> RunAsync(string name, CancellationToken cancel, params (string Name, Tensor Tensor)[] inputs) => _networks[name].RunAsync(cancel, inputs);

    /// <summary>Runs a network with the arguments that carry its inputs' names.</summary>
    public Task<NetworkOutputs> RunAsync(string name, CallArguments arguments, CancellationToken cancel) =>
        RunAsync(name, cancel, [.. _networks[name].Session.Inputs.Select(port => (port.Name, Convert(arguments.Tensor(port.Name), port.Type)))]);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var network in _networks.Values) network.Dispose();
    }

    private static Tensor Convert(Tensor tensor, ElementType type)
    {
        if (tensor is not Tensor<int> ids || type != ElementType.Int64) return tensor;
        var wide = Tensor.Zeros<long>(ids.Shape);
        for (var i = 0; i < wide.Length; i++) wide.Span[i] = ids.Span[i];
        return wide;
    }
}
