using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>A network that goes on from states of its layers, as <see cref="LayerStates"/> declares them.</summary>
internal sealed class StatefulNetwork(Network network)
{
    private readonly GraphPort[] _states = [.. network.Session.Inputs.Where(port => port.Name.StartsWith(LayerStates.Before, StringComparison.Ordinal))];

    /// <summary>The network.</summary>
    public Network Network => network;

    /// <summary>The states at the beginning of sequences: zeros, and no keys.</summary>
    public IReadOnlyDictionary<string, Tensor> Begin(int rows) => _states.ToDictionary(port => port.Name, port =>
    {
        long[] shape = [rows, .. port.Shape.Skip(1).Select(extent => extent.Symbol is null ? extent.Size : 0)];
        return port.Type == ElementType.Int64 ? (Tensor)Tensor.Zeros<long>(shape) : Tensor.Zeros<float>(shape);
    });

    /// <summary>Runs new places.</summary>
    public async Task<(NetworkOutputs Outputs, IReadOnlyDictionary<string, Tensor> States)> RunAsync(IReadOnlyDictionary<string, Tensor> states, CancellationToken cancel, params (string Name, Tensor Tensor)[] inputs)
    {
        var outputs = await network.RunAsync(cancel, [.. inputs, .. states.Select(state => (state.Key, state.Value))]).ConfigureAwait(false);
        return (outputs, _states.ToDictionary(port => port.Name, port =>
        {
            var next = LayerStates.After + port.Name[LayerStates.Before.Length..];
            return port.Type == ElementType.Int64 ? (Tensor)outputs.Get<long>(next) : outputs[next];
        }));
    }
}
