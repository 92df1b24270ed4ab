namespace ModelZoo.Contracts;

/// <summary>
/// An opened model: an architecture with its weights. What it can do is found with <see cref="ModelExtensions.Find{T}"/>: <see cref="ITokenize"/>, <see cref="IGenerate"/>,
/// <see cref="IEvaluate"/>, <see cref="IReferenceCalls"/>. Calls may come from several threads at once; the host leases a model while it is in use and disposes it only then.
/// </summary>
public interface IModel : IAsyncDisposable
{
    /// <summary>Facts about these weights.</summary>
    ModelFacts Facts { get; }

    /// <summary>The capability of that type, or null. The default finds what the model itself implements.</summary>
    object? GetCapability(Type type) => type.IsInstanceOfType(this) ? this : null;
}

/// <summary>Facts about opened weights.</summary>
public sealed record ModelFacts
{
    /// <summary>Number of weights.</summary>
    public long Parameters { get; init; }

    /// <summary>Bytes of weights that are memory-mapped files, shared with the system's page cache.</summary>
    public long MappedBytes { get; init; }

    /// <summary>Bytes of weights that this process holds for itself.</summary>
    public long PrivateBytes { get; init; }

    /// <summary>Bytes on a device other than the CPU.</summary>
    public long DeviceBytes { get; init; }

    /// <summary>SHA-256 of each checkpoint file, by file name, in lower-case hex; computed when first asked for.</summary>
    public Func<CancellationToken, ValueTask<IReadOnlyDictionary<string, string>>> Digests { get; init; } =
        static _ => ValueTask.FromResult<IReadOnlyDictionary<string, string>>(new Dictionary<string, string>());

    /// <summary>What the opened files lack for all that the architecture can do, and what to do about it; null when nothing.</summary>
    public string? Lacks { get; init; }

    /// <summary>Further facts to show, such as <c>sampling rate: 24000 Hz</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Properties { get; init; } = [];
}

/// <summary>Convenience for models.</summary>
public static class ModelExtensions
{
    /// <summary>The capability <typeparamref name="T"/>, or null when the model does not have it.</summary>
    public static T? Find<T>(this IModel model) where T : class => model.GetCapability(typeof(T)) as T;

    /// <summary>The capability <typeparamref name="T"/>.</summary>
    /// <exception cref="ModelZooException">The model does not have it.</exception>
    public static T Get<T>(this IModel model) where T : class =>
        model.Find<T>() ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The model does not {Verb(typeof(T))}.") { Remedy = model.Facts.Lacks ?? "`modelzoo info` shows the verbs of a model." };

    private static string Verb(Type type) => type.Name.TrimStart('I').ToLowerInvariant();
}
