using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>What every model does with its source.</summary>
public static class ModelSourceExtensions
{
    /// <summary>Opens the published weights: the parts that the source names, or the folder's usual files.</summary>
    /// <exception cref="CheckpointException">Nothing is there, or a file cannot be read.</exception>
    public static Checkpoint OpenCheckpoint(this ModelSource source)
    {
        var folder = source.RequireFolder();
        return source.Parts.Count == 0
            ? Checkpoint.Open(folder)
            : Checkpoint.Open([.. source.Parts.Select(part => new Inference.CheckpointPart(Path.Combine(folder, part.File), part.Key))]);
    }

    /// <summary>SHA-256 of a checkpoint, for <see cref="ModelFacts.Digests"/>.</summary>
    public static async ValueTask<IReadOnlyDictionary<string, string>> DigestsAsync(this Checkpoint checkpoint, CancellationToken cancel) =>
        new Dictionary<string, string> { [Path.GetFileName(checkpoint.Files[0])] = await Task.Run(() => checkpoint.Digest, cancel).ConfigureAwait(false) };
}
