using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>Which files make up a checkpoint in the published layouts.</summary>
internal static class CheckpointFiles
{
    private static readonly string[] Names =
    [
        "model.safetensors.index.json", "model.safetensors", "diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model.safetensors",
        "pytorch_model.bin.index.json", "pytorch_model.bin", "diffusion_pytorch_model.bin",
    ];

    private static readonly string[] Extensions = [".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".th", ".tar", ".pkl", ".gguf"];

    /// <summary>The files at <paramref name="path"/>: itself, the shards of an index, or what a folder holds.</summary>
    /// <exception cref="CheckpointException">Nothing is there, or more than one that could be meant.</exception>
    public static IReadOnlyList<string> At(string path)
    {
        if (Directory.Exists(path)) path = InFolder(path);
        if (!File.Exists(path)) throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no checkpoint.") { Where = path, Remedy = "Check the path." };
        return path.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase) ? Shards(path) : [path];
    }

    private static string InFolder(string folder)
    {
        if (Names.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists) is { } known) return known;
        var candidates = Directory.GetFiles(folder).Where(f => Extensions.Contains(Path.GetExtension(f).ToLowerInvariant())).Order(StringComparer.Ordinal).ToArray();
        return candidates.Length switch
        {
            1 => candidates[0],
            0 => throw new CheckpointException(ErrorCodes.CheckpointMissing, "The folder holds no checkpoint.")
            { Where = folder, Expected = $"{string.Join(", ", Names)}, or one file with {string.Join(", ", Extensions)}", Remedy = "Check the path." },
            _ => throw new CheckpointException(ErrorCodes.CheckpointMissing, "The folder holds several files that could be meant.")
            { Where = folder, Expected = "one file", Found = string.Join(", ", candidates.Select(Path.GetFileName)), Remedy = "Name the file." },
        };
    }

    // {"metadata": {...}, "weight_map": {"tensor": "model-00001-of-00002.safetensors", ...}}
    private static string[] Shards(string index)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(index), new() { MaxDepth = 8 });
            var folder = Path.GetDirectoryName(Path.GetFullPath(index))!;
            return [.. json.RootElement.GetProperty("weight_map").EnumerateObject().Select(e => Shard(index, folder, e.Value.GetString()!)).Distinct().Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw CheckpointErrors.Malformed(index, "The index of the shards cannot be read.", "an object with weight_map: {tensor: file}", e.Message, e);
        }
    }

    private static string Shard(string index, string folder, string name)
    {
        if (name.Length == 0 || name != Path.GetFileName(name)) throw CheckpointErrors.Malformed(index, "The index names a shard outside its folder.", "a file name", name);
        var path = Path.Combine(folder, name);
        return File.Exists(path) ? path : throw new CheckpointException(ErrorCodes.CheckpointMissing, "A shard of the checkpoint is missing.") { Where = index, Expected = name };
    }
}
