namespace ModelZoo.Host.Hosting;

/// <summary>What the command line says about the host itself.</summary>
internal sealed record ZooOptions
{
    /// <summary>The manifest; null finds <c>plugins.json</c>.</summary>
    public string? Manifest { get; init; }

    /// <summary>More plugins, over those of the manifest.</summary>
    public IReadOnlyList<string> Plugins { get; init; } = [];

    /// <summary>True writes the host's own log to standard error.</summary>
    public bool Verbose { get; init; }

    /// <summary>True loads copies of plugins, for hosts that live long.</summary>
    public bool ShadowCopy { get; init; }
}
