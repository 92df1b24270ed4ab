using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The parts of Huginn.</summary>
internal enum HuginnPart
{
    /// <summary>ids -> embedded inputs.</summary>
    Prelude,
    /// <summary>A state -> the next.</summary>
    Core,
    /// <summary>A state -> logits.</summary>
    Coda,
}

/// <summary>Huginn's parts over one checkpoint, each built when it is first asked for, alone or over a cache.</summary>
internal sealed class HuginnNetworks(NetworkContext context, HuginnConfig config) : IDisposable
{
    private readonly NetworkCache<(HuginnPart Part, bool IsCached)> _networks = new(key => Network.Build(context, $"huginn {key.Part}", scope => Build(scope, key.Part, config, key.IsCached)));

    /// <summary>A part, which sees all positions at once or goes on from those before.</summary>
    public Network this[HuginnPart part, bool isCached] => _networks[(part, isCached)];

    /// <summary>The parts that were built.</summary>
    public IEnumerable<Network> Built => _networks.Built;

    /// <summary>The graph of a part.</summary>
    public static void Build(Scope root, HuginnPart part, HuginnConfig config, bool isCached)
    {
        switch (part)
        {
            case HuginnPart.Prelude: HuginnNetwork.Prelude(root, config, isCached); break;
            case HuginnPart.Core: HuginnNetwork.Core(root, config, isCached); break;
            case HuginnPart.Coda: HuginnNetwork.Coda(root, config, isCached); break;
        }
    }

    /// <summary>All positions at once: e = prelude(ids); s = core(s, e), <paramref name="steps"/> times; coda(s).</summary>
    /// <param name="ids">(B, N).</param>
    /// <param name="positions">(B, N).</param>
    /// <param name="state">(B, N, D).</param>
    /// <param name="steps">Recurrences.</param>
    /// <param name="cancel">Stops between two of them.</param>
    public async Task<(Tensor<float> Embedded, NetworkOutputs Read)> ForwardAsync(Tensor<long> ids, Tensor<long> positions, Tensor<float> state, int steps, CancellationToken cancel)
    {
        var embedded = (await this[HuginnPart.Prelude, false].RunAsync(cancel, ("ids", ids), ("positions", positions)).ConfigureAwait(false))["embedded_inputs"];
        for (var step = 0; step < steps; step++) state = await NextAsync(state, embedded, positions, cancel).ConfigureAwait(false);
        return (embedded, await ReadAsync(state, positions, cancel).ConfigureAwait(false));
    }

    /// <summary>core(s, e).</summary>
    public async Task<Tensor<float>> NextAsync(Tensor<float> state, Tensor<float> embedded, Tensor<long> positions, CancellationToken cancel) =>
        (await this[HuginnPart.Core, false].RunAsync(cancel, ("state", state), ("embedded_inputs", embedded), ("positions", positions)).ConfigureAwait(false))["next_state"];

    /// <summary>coda(s): <c>latent_states</c>, <c>hidden_states</c>, <c>logits</c>.</summary>
    public Task<NetworkOutputs> ReadAsync(Tensor<float> state, Tensor<long> positions, CancellationToken cancel) => this[HuginnPart.Coda, false].RunAsync(cancel, ("state", state), ("positions", positions));

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();
}
