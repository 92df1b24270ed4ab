using System.Runtime.InteropServices;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Models;
using ModelZoo.Inference;

namespace ModelZoo.Host.Replay;

/// <summary>Says where a model's answers come from.</summary>
internal sealed class ProvenanceSource(PluginCatalog catalog, Lazy<InferenceRuntime> engine)
{
    /// <summary>The provenance of a model's answers; digests of large checkpoints take a moment, once.</summary>
    public async Task<Provenance> OfAsync(ModelLease lease, CancellationToken cancel)
    {
        var record = catalog.Plugins.FirstOrDefault(record => record.Loaded == lease.Resident.Plugin);
        return new()
        {
            Plugin = lease.Resident.Plugin.Name,
            PluginVersion = record?.Inspection?.Version.ToString(3) ?? "unknown",
            PluginSha256 = record is null ? "unknown" : await Task.Run(() => PluginDigest.Of(record.Path), cancel).ConfigureAwait(false),
            CheckpointSha256 = await lease.Model.Facts.Digests(cancel).ConfigureAwait(false),
            Device = lease.Resident.Source.Device,
            Engine = engine.IsValueCreated ? $"ONNX Runtime {engine.Value.Version}" : null,
            Host = Hosting.Zoo.Version,
            Machine = $"{RuntimeInformation.RuntimeIdentifier}, {Environment.ProcessorCount} cores",
        };
    }
}
