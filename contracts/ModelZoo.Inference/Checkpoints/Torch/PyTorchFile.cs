using System.Buffers.Binary;
using System.Numerics;
using ModelZoo.Contracts;
using ModelZoo.Inference.Pickle;

namespace ModelZoo.Inference.Torch;

/// <summary>
/// What <c>torch.save</c> writes: since 1.6 a zip archive with a pickle and one member a storage; before, four pickles (magic number, version, machine, object), the names of
/// the storages, and their bytes. Also plain pickles, .npz archives and .npy files.
/// </summary>
internal static class PyTorchFile
{
    private const long LegacyVersion = 1001;
    private static readonly BigInteger LegacyMagic = BigInteger.Parse("119547037146038801333356");

    /// <summary>The object in the file.</summary>
    /// <exception cref="CheckpointException"><see cref="ErrorCodes.CheckpointMalformed"/> or <see cref="ErrorCodes.CheckpointForbidden"/>.</exception>
    public static object? Read(ByteBlock file)
    {
        if (file.StartsWith("PK"u8)) return ReadArchive(file, new(file));
        if (NumpyFile.Recognizes(file)) return NumpyFile.Read(file);
        if (file.StartsWith([0x80]) || file.StartsWith("("u8) || file.StartsWith("}"u8)) return ReadPickles(file);
        throw CheckpointErrors.Malformed(file.Path, "This is no checkpoint in a known format.", "safetensors, a file of torch.save, .npz or .npy");
    }

    private static object? ReadArchive(ByteBlock file, ZipDirectory archive)
    {
        var pickle = archive.Names.FirstOrDefault(name => name == "data.pkl" || name.EndsWith("/data.pkl", StringComparison.Ordinal));
        if (pickle is null) return ReadArrays(file, archive);
        var folder = pickle[..^"data.pkl".Length];
        if (archive.Contains(folder + "byteorder") && !archive.Read(folder + "byteorder").StartsWith("little"u8))
            throw CheckpointErrors.Malformed(file.Path, "The checkpoint was written on a big-endian machine.", "little");

        var storages = new Dictionary<string, TorchStorage>();
        TorchStorage Storage(string key, TorchType type, long count)
        {
            if (storages.TryGetValue(key, out var storage)) return storage;
            var bytes = archive.Read($"{folder}data/{key}");
            if (count < 0 || count > bytes.Length / type.Size) throw CheckpointErrors.Malformed(file.Path, "A storage is shorter than the checkpoint says.", $"{count} elements of {type.Size} bytes", $"{bytes.Length} bytes");
            return storages[key] = new(type, count) { Bytes = bytes };
        }

        return new PickleReader(archive.Read(pickle), new TorchWorld(file.Path, Storage)).Read();
    }

    private static PickleDictionary ReadArrays(ByteBlock file, ZipDirectory archive)
    {
        var arrays = new PickleDictionary();
        foreach (var name in archive.Names.Where(n => n.EndsWith(".npy", StringComparison.Ordinal))) arrays.Items.Add((name[..^4], NumpyFile.Read(archive.Read(name))));
        return arrays.Items.Count > 0 ? arrays : throw CheckpointErrors.Malformed(file.Path, "The archive holds no checkpoint.", "data.pkl (torch.save) or .npy members (numpy.savez)", string.Join(", ", archive.Names.Take(5)));
    }

    private static object? ReadPickles(ByteBlock file)
    {
        var storages = new Dictionary<string, TorchStorage>();
        TorchStorage Storage(string key, TorchType type, long count)
        {
            if (count < 0 || count > file.Length / type.Size) throw CheckpointErrors.Malformed(file.Path, "A storage is longer than the file.", found: $"{count} elements");
            return storages.TryGetValue(key, out var storage) ? storage : storages[key] = new(type, count);
        }

        var reader = new PickleReader(file, new TorchWorld(file.Path, Storage));
        var first = reader.Read();
        if (first is not BigInteger magic || magic != LegacyMagic) return first;
        if (reader.Read() is not LegacyVersion) throw CheckpointErrors.Malformed(file.Path, "The checkpoint has an unknown version of the legacy format.", LegacyVersion.ToString());
        if (reader.Read() is PickleDictionary machine && machine["little_endian"] is false) throw CheckpointErrors.Malformed(file.Path, "The checkpoint was written on a big-endian machine.", "little");
        var root = reader.Read();
        if (reader.Read() is not PickleList keys) throw CheckpointErrors.Malformed(file.Path, "The checkpoint does not list its storages.");
        var position = reader.Position;
        foreach (var key in keys)
        {
            if (key is not string name || !storages.TryGetValue(name, out var storage)) throw CheckpointErrors.Malformed(file.Path, "The checkpoint lists a storage that nothing uses.");
            var count = BinaryPrimitives.ReadInt64LittleEndian(file.Span(position, 8));
            if (count != storage.Count) throw CheckpointErrors.Malformed(file.Path, "A storage has another length than the checkpoint says.", $"{storage.Count}", $"{count}");
            storage.Bytes = file.Slice(position + 8, count * storage.Type.Size);
            position += 8 + count * storage.Type.Size;
        }

        return root;
    }
}
