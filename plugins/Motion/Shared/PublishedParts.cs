using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.Motion;

/// <summary>A file of a published layout: where it usually is, the key that holds its weights, and the scope under which the networks find them.</summary>
/// <param name="Scope">First name of the scope.</param>
/// <param name="File">Path within the folder.</param>
/// <param name="Key">Key of the dictionary in the file; null for its root.</param>
internal sealed record PublishedPart(string Scope, string File, string? Key);

/// <summary>Opens layouts that spread a model over several files, whose names would collide.</summary>
internal static class PublishedParts
{
    /// <summary>The files as one checkpoint, each under a scope of its own: those that the source names, in the same order, or the usual ones.</summary>
    /// <exception cref="CheckpointException">A file is missing, or the source names another number of them.</exception>
    public static Checkpoint Open(ModelSource source, params PublishedPart[] usual)
    {
        var folder = source.RequireFolder();
        if (source.Parts.Count != 0 && source.Parts.Count != usual.Length)
            throw new CheckpointException(ErrorCodes.CheckpointMissing, "The model has another number of files.") { Where = folder, Expected = string.Join(", ", usual.Select(part => part.File)), Found = string.Join(", ", source.Parts.Select(part => part.File)) };
        return Checkpoint.Open([.. usual.Select((part, i) => source.Parts.Count == 0
            ? new Inference.CheckpointPart(Path.Combine(folder, part.File), part.Key, part.Scope + ".")
            : new Inference.CheckpointPart(Path.Combine(folder, source.Parts[i].File), source.Parts[i].Key ?? part.Key, part.Scope + "."))]);
    }
}
