using System.Collections.Concurrent;
using System.Security.Cryptography;
using ModelZoo.Contracts;
using ModelZoo.Inference.Gguf;
using ModelZoo.Inference.Torch;

namespace ModelZoo.Inference;

/// <summary>One file of a checkpoint, and which part of it is wanted.</summary>
/// <param name="Path">The file.</param>
/// <param name="Key">Where in a PyTorch file the tensors are: <c>state_dict</c>, or <c>model.ema</c> for a dictionary in a dictionary. Null for everything.</param>
/// <param name="Prefix">What is put before each name, to keep the tensors of several files apart.</param>
public sealed record CheckpointPart(string Path, string? Key = null, string Prefix = "")
{
    /// <summary>
    /// Where the tensors may be when no <see cref="Key"/> says it: training scripts save several copies in one PyTorch file, bare or beside the optimizer. The first of these that holds tensors is taken, so that averaged
    /// weights win over raw ones; everything where none does, and of other files.
    /// </summary>
    public IReadOnlyList<string> Copies { get; init; } = [];
}

/// <summary>
/// The published weights of a model: safetensors (one file, or shards with an index), PyTorch files of any age and GGUF, recognised by their contents. Files are mapped; a tensor is
/// found, checked and, where it must be, copied when it is asked for. Disposing gives up this object's hold on them: sessions that use the weights keep them mapped.
/// </summary>
public sealed class Checkpoint : ITensorSource, IDisposable
{
    private Dictionary<string, StoredTensor> _tensors = [];
    private readonly Dictionary<string, object?> _values = [];
    private readonly ConcurrentDictionary<string, byte> _used = new();
    private readonly DerivedWeights _derived = new();
    private readonly Lazy<string> _digest;
    private volatile bool _disposed;

    private Checkpoint(string origin, IReadOnlyList<CheckpointPart> parts)
    {
        Origin = origin;
        Files = [.. parts.Select(p => p.Path).Distinct()];
        foreach (var part in parts) Add(part);
        Tensors = [.. _tensors.Values.Select(t => t.Info)];
        _digest = new(() => Files.Count == 1 ? DigestOf(Files[0]) : DigestOf(Files));
    }

    /// <inheritdoc/>
    public string Origin { get; }

    /// <summary>The files, in the order in which they were opened.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors { get; }

    /// <summary>
    /// What else a PyTorch file holds below the key, or a GGUF file says of its model: numbers (<see cref="long"/>, <see cref="double"/>), texts, booleans, bytes, null, lists (<see cref="IReadOnlyList{T}"/>) and
    /// dictionaries (<see cref="IReadOnlyDictionary{TKey,TValue}"/> by text) of such; <c>argparse.Namespace</c> and OmegaConf objects are dictionaries. Tensors are not here.
    /// </summary>
    public IReadOnlyDictionary<string, object?> Values => _values;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Unused => [.. _tensors.Keys.Where(name => !_used.ContainsKey(name))];

    /// <summary>SHA-256 in lower-case hex: of the file, or, of several, of their digests in order. Read in full the first time.</summary>
    public string Digest => _digest.Value;

    /// <summary>Opens a file, or the weights of a folder in a published layout.</summary>
    /// <param name="path">File or folder.</param>
    /// <param name="key">Where in a PyTorch file the tensors are; null for everything.</param>
    /// <exception cref="CheckpointException">Nothing is there, or a file cannot be read.</exception>
    public static Checkpoint Open(string path, string? key = null) => new(path, [.. CheckpointFiles.At(path).Select(file => new CheckpointPart(file, key))]);

    /// <summary>Opens several files as one checkpoint.</summary>
    /// <exception cref="CheckpointException">A file is not there or cannot be read, or two tensors have one name.</exception>
    public static Checkpoint Open(IReadOnlyList<CheckpointPart> parts) =>
        new(string.Join(" + ", parts.Select(p => p.Path)), [.. parts.SelectMany(part => CheckpointFiles.At(part.Path).Select(file => part with { Path = file }))]);

    /// <inheritdoc/>
    public WeightData? Find(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_tensors.TryGetValue(name, out var tensor)) return null;
        _used.TryAdd(name, 0);
        return tensor.Data;
    }

    /// <summary>The tensor of that published name, which must be there.</summary>
    /// <exception cref="CheckpointException"><see cref="ErrorCodes.CheckpointTensorMissing"/>.</exception>
    public WeightData Get(string name) => Find(name) ?? throw new CheckpointException(ErrorCodes.CheckpointTensorMissing, "The checkpoint lacks a tensor.")
    { Where = Origin, Expected = name, Found = $"{_tensors.Count} others, such as {string.Join(", ", _tensors.Keys.Take(5))}" };

    /// <inheritdoc/>
    public WeightData Derive(string key, Func<WeightData> make) => _derived.Get(key, make);

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        _derived.Clear();
        _tensors = [];
    }

    private void Add(CheckpointPart part)
    {
        var file = ByteBlock.Of(new(part.Path));
        if (SafetensorsFile.Recognizes(file))
        {
            if (part.Key is not null) throw CheckpointErrors.Missing(part.Path, "A safetensors file has no dictionary to choose.", $"no key, rather than '{part.Key}'");
            foreach (var tensor in SafetensorsFile.Read(file)) Add(part, tensor.Info.Name, tensor);
        }
        else if (GgufFile.Recognizes(file))
        {
            if (part.Key is not null) throw CheckpointErrors.Missing(part.Path, "A GGUF file has no dictionary to choose.", $"no key, rather than '{part.Key}'");
            var gguf = GgufFile.Read(file);
            foreach (var tensor in gguf.Tensors) Add(part, tensor.Info.Name, tensor);
            foreach (var (name, value) in gguf.Values) _values[part.Prefix + name] = value;
        }
        else
        {
            var tree = ValueTree.Of(part, PyTorchFile.Read(file));
            foreach (var tensor in tree.Tensors) Add(part, tensor.Info.Name, tensor);
            if (tree.Plain is IReadOnlyDictionary<string, object?> values)
            {
                foreach (var (name, value) in values) _values[part.Prefix + name] = value;
            }
            else if (tree.Plain is not null)
            {
                _values[part.Prefix + "value"] = tree.Plain;
            }
        }
    }

    private void Add(CheckpointPart part, string name, StoredTensor tensor)
    {
        name = part.Prefix + name;
        if (!_tensors.TryAdd(name, tensor.Info.Name == name ? tensor : tensor.Named(name)))
            throw CheckpointErrors.Malformed(part.Path, "Two tensors of the checkpoint have one name.", found: name);
    }

    private static string DigestOf(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static string DigestOf(IEnumerable<string> paths) =>
        Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(string.Join('\n', paths.Select(DigestOf)))));
}
