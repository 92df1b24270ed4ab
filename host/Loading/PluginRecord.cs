using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Loading;

/// <summary>What the host knows about a plugin, ready or not.</summary>
internal sealed record PluginRecord
{
    /// <summary>Name of the main assembly, or of the path when there is none.</summary>
    public required string Name { get; init; }

    /// <summary>Folder, DLL or archive that it comes from.</summary>
    public required string Path { get; init; }

    /// <summary>Line of the manifest that named it.</summary>
    public required PluginEntry Entry { get; init; }

    public required PluginState State { get; init; }

    /// <summary>Why it is not ready, for people; null when it is.</summary>
    public string? Reason { get; init; }

    /// <summary>True when it is not run for what it did before.</summary>
    public bool IsQuarantined { get; init; }

    /// <summary>Ids of the architectures that it brought while it served, when it does not any more.</summary>
    public IReadOnlyList<string> Brought { get; init; } = [];

    /// <summary>Where its files are.</summary>
    public PluginFile? File { get; init; }

    public PluginInspection? Inspection { get; init; }

    /// <summary>Time from finding it to this state.</summary>
    public TimeSpan LoadTime { get; init; }

    /// <summary>The plugin, when it is ready or draining.</summary>
    public LoadedPlugin? Loaded { get; init; }
}
