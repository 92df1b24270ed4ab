using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>What a network asked of its checkpoint: collects every missing and mis-shaped tensor, so that one error lists them all; or, without a checkpoint, the inventory of what it needs.</summary>
public sealed class WeightRequests
{
    private const int Shown = 8;

    private readonly List<string> _missing = [], _misshaped = [];
    private readonly Dictionary<string, string> _inventory = [];
    private readonly List<WeightData> _found = [];
    private Dictionary<string, TensorInfo>? _tensors;

    /// <summary>Requests to a checkpoint.</summary>
    public WeightRequests(bool inventory = false) => IsInventory = inventory;

    /// <summary>True when nothing is read and every request is written down.</summary>
    public bool IsInventory { get; }

    /// <summary>True when a tensor was missing or had another shape.</summary>
    public bool HasProblems => _missing.Count + _misshaped.Count > 0;

    /// <summary>What was asked for: <c>name [shape]</c>, in order of names.</summary>
    public IEnumerable<string> Inventory => _inventory.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key} {pair.Value}");

    /// <summary>Throws one error that lists every missing and mis-shaped tensor.</summary>
    /// <exception cref="CheckpointException">There was one.</exception>
    public void ThrowIfAny(ITensorSource source)
    {
        if (!HasProblems) return;
        var text = new StringBuilder("The checkpoint does not fit the network.");
        if (_missing.Count > 0) text.Append($" Missing ({_missing.Count}): {List(_missing)}.");
        if (_misshaped.Count > 0) text.Append($" Of another shape ({_misshaped.Count}): {List(_misshaped)}.");
        throw new CheckpointException(_missing.Count > 0 ? ErrorCodes.CheckpointTensorMissing : ErrorCodes.CheckpointTensorShape, text.ToString())
        { Where = source.Origin, Found = $"{source.Tensors.Count} tensors, such as {string.Join(", ", source.Tensors.Take(3).Select(tensor => tensor.Name))}", Remedy = "Does the folder's configuration belong to these weights?" };
    }

    /// <summary>A tensor that was found.</summary>
    internal void Note(WeightData data) => _found.Add(data);

    /// <summary>Takes out of memory the tensors of mapped files from which weights of <paramref name="graph"/> were made, which it does not read itself.</summary>
    internal void LeaveSources(GraphDefinition graph)
    {
        var read = graph.Initializers.Select(initializer => initializer.Data.Address).ToHashSet();
        foreach (var data in _found.Where(data => !read.Contains(data.Address))) data.LeaveMemory();
    }

    internal WeightData Record(string name, ReadOnlySpan<long> shape)
    {
        _inventory[name] = Show(shape);
        return Meta(shape);
    }

    internal WeightData Missing(string name, ReadOnlySpan<long> shape)
    {
        _missing.Add($"{name} {Show(shape)}");
        return Meta(shape);
    }

    internal WeightData Misshaped(string name, ReadOnlySpan<long> expected, ReadOnlySpan<long> found)
    {
        _misshaped.Add($"{name} expected {Show(expected)} found {Show(found)}");
        return Meta(expected);
    }

    internal IReadOnlyCollection<string> Names(ITensorSource source) => Index(source).Keys;

    internal TensorInfo? Find(ITensorSource source, string name) => Index(source).GetValueOrDefault(name);

    // A shape without elements: enough to go on building until all problems are known.
    internal static unsafe WeightData Meta(ReadOnlySpan<long> shape) => new(ElementType.Float32, shape, null, Nothing);

    private static readonly object Nothing = new();

    private Dictionary<string, TensorInfo> Index(ITensorSource source) => _tensors ??= source.Tensors.ToDictionary(tensor => tensor.Name);

    private static string Show(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    private static string List(List<string> items) => string.Join("; ", items.Take(Shown)) + (items.Count > Shown ? $"; and {items.Count - Shown} more" : "");
}
