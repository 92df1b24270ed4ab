using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Manifest;

/// <summary>What <c>plugins.json</c> says, all paths absolute; the user's own file and the command line are laid over it.</summary>
internal sealed record HostManifest
{
    /// <summary>The files it was read from, the strongest last.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>Plugins in order; where two bring the same architecture, the later one serves it.</summary>
    public IReadOnlyList<PluginEntry> Plugins { get; init; } = [];

    /// <summary>Model ids with tag, and the weights behind them.</summary>
    public IReadOnlyDictionary<ModelId, ModelEntry> Models { get; init; } = new Dictionary<ModelId, ModelEntry>();

    /// <summary>Budgets of memory by device, in bytes.</summary>
    public IReadOnlyDictionary<string, long> Memory { get; init; } = new Dictionary<string, long>();

    /// <summary>The device of models that name none; null for the processor.</summary>
    public string? Device { get; init; }

    /// <summary>Folders in which plugins appear and disappear while the host runs.</summary>
    public IReadOnlyList<string> Watch { get; init; } = [];

    /// <summary>How requests wait for a model.</summary>
    public QueueSettings? Queue { get; init; }

    /// <summary>When plugins are put into quarantine.</summary>
    public QuarantineSettings? Quarantine { get; init; }
}

/// <summary>A plugin, or several by pattern.</summary>
/// <param name="Path">Folder, DLL, .nupkg or .zip; the last part may hold <c>*</c> and <c>?</c>.</param>
/// <param name="Where">File and line that named it.</param>
internal sealed record PluginEntry(string Path, string Where)
{
    /// <summary>False leaves it alone.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>SHA-256 that it must have, in lower-case hex; null for any.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Settings for each model of the plugin that has none of its own.</summary>
    public JsonElement? Settings { get; init; }
}

/// <summary>The weights behind a model id.</summary>
internal sealed record ModelEntry
{
    /// <summary>What clients may call it beside its id; null for nothing else.</summary>
    public string? Name { get; init; }

    /// <summary>Folder of the published files; null for architectures without weights.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Where in the folder the weights are, when the layout leaves a choice.</summary>
    public IReadOnlyList<CheckpointPart> Parts { get; init; } = [];

    /// <summary>The device; null for the manifest's.</summary>
    public string? Device { get; init; }

    /// <summary>In what linear maps keep their weights: float32, int8 or int4; null for float32.</summary>
    public string? Precision { get; init; }

    /// <summary>Settings for the architecture.</summary>
    public JsonElement? Settings { get; init; }

    /// <summary>Options that replace the model's defaults, as a JSON object; what a request says is stronger.</summary>
    public JsonElement? Options { get; init; }

    /// <summary>True opens it when the host starts.</summary>
    public bool Warm { get; init; }
}

/// <summary>How requests wait for a model.</summary>
internal sealed record QueueSettings
{
    /// <summary>What counts where the manifest says nothing.</summary>
    public static QueueSettings Default { get; } = new();

    /// <summary>Requests that run on one model at a time; at networks whose rows are independent they meet.</summary>
    public int Concurrency { get; init; } = 8;

    /// <summary>Most requests that such a network takes in one run.</summary>
    public int Batch { get; init; } = 8;

    /// <summary>Requests that may wait for one model.</summary>
    public int Limit { get; init; } = 64;

    /// <summary>Longest wait.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The wait that lifts a request by one level of priority, so that none starves.</summary>
    public TimeSpan Ageing { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>When plugins are put into quarantine.</summary>
internal sealed record QuarantineSettings
{
    /// <summary>What counts where the manifest says nothing.</summary>
    public static QuarantineSettings Default { get; } = new();

    /// <summary>Faults, with no answer between them, that condemn a plugin.</summary>
    public int Faults { get; init; } = 5;

    /// <summary>How long a request may go on after it was cancelled before its caller is let go.</summary>
    public TimeSpan CancelPatience { get; init; } = TimeSpan.FromSeconds(10);
}
