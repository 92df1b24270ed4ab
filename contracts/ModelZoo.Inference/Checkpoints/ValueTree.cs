using System.Globalization;
using System.Numerics;
using ModelZoo.Contracts;
using ModelZoo.Inference.Numpy;
using ModelZoo.Inference.Pickle;
using ModelZoo.Inference.Torch;

namespace ModelZoo.Inference;

/// <summary>Sorts what a pickle built into tensors by dotted name and plain values, below a key.</summary>
internal sealed class ValueTree
{
    private const int Deepest = 100;
    private const int MostNodes = 1_000_000;
    private static readonly object Tensor = new();

    private readonly string _path;
    private int _nodes;

    private ValueTree(string path) => _path = path;

    /// <summary>The tensors.</summary>
    public List<StoredTensor> Tensors { get; } = [];

    /// <summary>What else is there: number, text, list, dictionary.</summary>
    public object? Plain { get; private set; }

    /// <summary>Sorts <paramref name="root"/>, or what <paramref name="part"/> wants of it.</summary>
    /// <exception cref="CheckpointException">There is no such part, or the object is nested without end.</exception>
    public static ValueTree Of(CheckpointPart part, object? root)
    {
        if (part.Key is { } key)
        {
            var (wanted, left) = Walk(root, key);
            return left.Length == 0 ? Of(part.Path, wanted, key) : throw new CheckpointException(ErrorCodes.CheckpointMissing, "The checkpoint has no such part.")
            { Where = part.Path, Expected = key, Found = wanted is PickleDictionary d ? string.Join(", ", d.Items.Take(10).Select(i => KeyText(i.Key))) : wanted?.GetType().Name ?? "nothing" };
        }

        foreach (var copy in part.Copies)
        {
            if (Walk(root, copy) is (var found, "") && Of(part.Path, found, copy) is { Tensors.Count: > 0 } tree) return tree;
        }

        return Of(part.Path, root, null);
    }

    private static ValueTree Of(string path, object? part, string? key)
    {
        var tree = new ValueTree(path);
        // A lone tensor has no name of its own.
        var place = part is TorchTensor or NumpyArray ? new Place(null, key?.Split('.', '/')[^1] ?? "tensor") : null;
        var plain = tree.Sort(part, place, 0);
        tree.Plain = ReferenceEquals(plain, Tensor) ? null : plain;
        return tree;
    }

    private object? Sort(object? node, Place? place, int depth)
    {
        if (depth > Deepest || ++_nodes > MostNodes) throw CheckpointErrors.Malformed(_path, "The object in the checkpoint is nested too deeply, or has too many parts.", $"{Deepest} levels, {MostNodes} parts", place?.ToString());
        switch (node)
        {
            case TorchTensor tensor:
                Tensors.Add(tensor.Stored($"{place}"));
                return Tensor;
            case NumpyArray array:
                Tensors.Add(array.Stored($"{place}"));
                return Tensor;
            case PickleObject instance when instance.Has("_content"): return Sort(instance["_content"], place, depth + 1);
            case PickleObject instance when instance.Has("_val"): return Sort(instance["_val"], place, depth + 1);
            case PickleDictionary dictionary: return Sort(dictionary, place, depth);
            case PickleTuple tuple: return Sort(tuple.Items, place, depth);
            case PickleList list: return Sort(list, place, depth);
            case BigInteger big: return (double)big;
            case PickleGlobal global: return global.FullName;
            case NumpyType type: return $"{type.Kind}{type.Size}";
            case TorchStorage: return null;
            default: return node;
        }
    }

    private object? Sort(PickleDictionary dictionary, Place? place, int depth)
    {
        var last = new Dictionary<string, object?>();
        foreach (var (key, value) in dictionary.Items) last[KeyText(key)] = value;
        var plain = new Dictionary<string, object?>();
        foreach (var (key, value) in last)
        {
            var sorted = Sort(value, new(place, key), depth + 1);
            if (!ReferenceEquals(sorted, Tensor)) plain[key] = sorted;
        }

        return plain.Count == 0 && last.Count > 0 ? Tensor : plain;
    }

    private object? Sort(IReadOnlyList<object?> items, Place? place, int depth)
    {
        var plain = new List<object?>();
        for (var i = 0; i < items.Count; i++)
        {
            var sorted = Sort(items[i], new(place, i.ToString(CultureInfo.InvariantCulture)), depth + 1);
            if (!ReferenceEquals(sorted, Tensor)) plain.Add(sorted);
        }

        return plain.Count == 0 && items.Count > 0 ? Tensor : plain;
    }

    // How far the key leads, and what is left of it. Keys may themselves have dots, so the longest first step that exists is taken.
    private static (object? Node, string Left) Walk(object? node, string key)
    {
        for (var end = key.Length; end > 0; end = key.LastIndexOfAny(['.', '/'], end - 1))
        {
            if (TryGet(node, key[..end], out var child)) return Walk(child, end == key.Length ? "" : key[(end + 1)..]);
        }

        return (node, key);
    }

    private static bool TryGet(object? node, string step, out object? child)
    {
        if (node is PickleObject instance && instance["_content"] is PickleDictionary content) node = content;
        var index = node is PickleDictionary dictionary ? dictionary.Items.FindLastIndex(item => KeyText(item.Key) == step) : -1;
        if (index >= 0)
        {
            child = ((PickleDictionary)node!).Items[index].Value;
            return true;
        }

        var items = node is PickleTuple tuple ? tuple.Items : node as IReadOnlyList<object?>;
        var found = int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out index) && items is not null && index < items.Count;
        child = found ? items![index] : null;
        return found;
    }

    private static string KeyText(object? key) => key switch
    {
        string text => text,
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        PickleTuple tuple => $"({string.Join(", ", tuple.Items.Take(8).Select(item => item is PickleTuple ? "(...)" : KeyText(item)))})",
        PickleGlobal global => global.FullName,
        null => "None",
        bool flag => flag ? "True" : "False",
        _ => key.GetType().Name,
    };

    /// <summary>Where a part of the object is; written out only for tensors.</summary>
    private sealed record Place(Place? Parent, string Step)
    {
        public override string ToString() => Parent is null ? Step : $"{Parent}.{Step}";
    }
}
