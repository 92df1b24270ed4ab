namespace ModelZoo.Host.Loading;

/// <summary>Where a plugin stands.</summary>
public enum PluginState
{
    /// <summary>Found, not yet looked into.</summary>
    Discovered,
    /// <summary>Switched off in the manifest.</summary>
    Disabled,
    /// <summary>Its metadata says that it cannot run here; none of its code was run.</summary>
    Incompatible,
    /// <summary>It could not be loaded, or was put into quarantine.</summary>
    Failed,
    /// <summary>It serves.</summary>
    Ready,
    /// <summary>It takes no new requests and waits for those that run.</summary>
    Draining,
    /// <summary>It is gone.</summary>
    Unloaded,
}
