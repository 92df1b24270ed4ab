using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ModelZoo.Host.Models;
using ModelZoo.Inference;

namespace ModelZoo.Host.Replay;

/// <summary>Says where a model's answers come from.</summary>
internal sealed class ProvenanceSource(Lazy<InferenceRuntime> engine)
{
    // An open model's provenance does not change, and goes with it.
    private readonly ConditionalWeakTable<ResidentModel, Provenance> _known = [];

    /// <summary>The provenance of a model's answers; digests of large checkpoints take a moment, once.</summary>
    public ValueTask<Provenance> OfAsync(ModelLease lease, CancellationToken cancel) => _known.TryGetValue(lease.Resident, out var known) ? new(known) : new(FindAsync(lease, cancel));

    private async Task<Provenance> FindAsync(ModelLease lease, CancellationToken cancel)
    {
        var plugin = lease.Resident.Plugin;
        var found = new Provenance
        {
            Plugin = plugin.Name,
            PluginVersion = plugin.Version.ToString(3),
            PluginSha256 = await Task.Run(() => plugin.Digest.Value, cancel).ConfigureAwait(false),
            CheckpointSha256 = await lease.Model.Facts.Digests(cancel).ConfigureAwait(false),
            Device = lease.Resident.Source.Device,
            Precision = lease.Resident.Source.Precision is var precision && precision != WeightPrecision.Float32.Name() ? precision : null,
            Engine = engine.IsValueCreated ? $"ONNX Runtime {engine.Value.Version}" : null,
            Host = Hosting.Zoo.Version,
            Machine = $"{RuntimeInformation.RuntimeIdentifier}, {Environment.ProcessorCount} cores",
        };
        _known.AddOrUpdate(lease.Resident, found);
        return found;
    }
}
