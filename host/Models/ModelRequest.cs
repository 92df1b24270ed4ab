using ModelZoo.Contracts;

namespace ModelZoo.Host.Models;

/// <summary>Which weights are wanted, and where they shall run.</summary>
/// <param name="Id">The model, with or without tag.</param>
/// <param name="Checkpoint">Folder of published files, instead of the manifest's.</param>
/// <param name="Device">Device, instead of the manifest's.</param>
/// <param name="Precision">In what linear maps keep their weights, instead of the manifest's.</param>
internal sealed record ModelRequest(ModelId Id, string? Checkpoint = null, string? Device = null, string? Precision = null);
