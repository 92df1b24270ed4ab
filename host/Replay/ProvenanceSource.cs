using System.Runtime.InteropServices;
using ModelZoo.Host.Models;
using ModelZoo.Inference;

namespace ModelZoo.Host.Replay;

/// <summary>Says where a model's answers come from.</summary>
internal sealed class ProvenanceSource(Lazy<InferenceRuntime> engine)
{
    /// <summary>The provenance of a model's answers; digests of large checkpoints take a moment, once.</summary>
    public async Task<Provenance> OfAsync(ModelLease lease, CancellationToken cancel)
    {
        var plugin = lease.Resident.Plugin;
        return new()
        {
            Plugin = plugin.Name,
            PluginVersion = plugin.Version.ToString(3),
            PluginSha256 = await Task.Run(() => plugin.Digest.Value, cancel).ConfigureAwait(false),
            CheckpointSha256 = await lease.Model.Facts.Digests(cancel).ConfigureAwait(false),
            Device = lease.Resident.Source.Device,
            Engine = engine.IsValueCreated ? $"ONNX Runtime {engine.Value.Version}" : null,
            Host = Hosting.Zoo.Version,
            Machine = $"{RuntimeInformation.RuntimeIdentifier}, {Environment.ProcessorCount} cores",
        };
    }
}
