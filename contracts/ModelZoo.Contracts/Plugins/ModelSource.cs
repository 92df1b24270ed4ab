namespace ModelZoo.Contracts;

/// <summary>What a model is opened from.</summary>
public sealed record ModelSource
{
    /// <summary>The name under which it will be known, with tag.</summary>
    public required ModelId Id { get; init; }

    /// <summary>Folder of the published files; null for architectures without weights.</summary>
    public string? Folder { get; init; }

    /// <summary>
    /// Where in the folder the weights are, when the published layout leaves a choice: file name, and key of the dictionary inside it that holds them. Empty means that the architecture looks for its usual files.
    /// </summary>
    public IReadOnlyList<CheckpointPart> Parts { get; init; } = [];

    /// <summary>The device to run on: <c>cpu</c>, <c>webgpu[:n]</c>, <c>cuda[:n]</c>, <c>tensorrt[:n]</c> or <c>auto</c>.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>In what linear maps keep their weights: <c>float32</c>, <c>int8</c> or <c>int4</c>.</summary>
    public string Precision { get; init; } = "float32";

    /// <summary>Settings from the manifest.</summary>
    public ModelSettings Settings { get; init; } = new();

    /// <summary>True when the marked stages of each network are wanted as results, for <see cref="IReferenceCalls"/>.</summary>
    public bool Stages { get; init; }

    /// <summary>Services of the host, such as the inference engine.</summary>
    public required IServiceProvider Services { get; init; }

    /// <summary>The folder, where one is needed.</summary>
    /// <exception cref="CheckpointException">There is none, or it does not exist.</exception>
    public string RequireFolder() => Directory.Exists(Folder)
        ? Folder
        : throw new CheckpointException(ErrorCodes.CheckpointMissing, $"{Id} needs a folder of published files.")
        { Found = Folder ?? "none", Remedy = "Name it in plugins.json under \"models\", or with --checkpoint DIR." };

    /// <summary>The service of type <typeparamref name="T"/>.</summary>
    /// <exception cref="ModelZooException">The host does not offer it.</exception>
    public T Service<T>() where T : class => Services.GetService(typeof(T)) as T
        ?? throw new ModelZooException(ErrorCodes.PluginFailed, $"The host does not offer {typeof(T).Name}.") { Where = Id.ToString() };
}

/// <summary>A file of a checkpoint.</summary>
/// <param name="File">File name within the folder.</param>
/// <param name="Key">Key of the dictionary inside the file that holds the weights, such as <c>state_dict</c>; null for the file's root.</param>
public sealed record CheckpointPart(string File, string? Key = null);
