using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Layouts that spread a model over several files whose names do not collide.</summary>
internal static class PublishedFiles
{
    /// <summary>The files that the source names, or the usual ones, as one checkpoint.</summary>
    /// <exception cref="CheckpointException">A file is missing.</exception>
    public static Checkpoint Open(ModelSource source, params string[] usual) => source.Parts.Count > 0
        ? source.OpenCheckpoint()
        : Checkpoint.Open([.. usual.Select(file => new Inference.CheckpointPart(Path.Combine(source.RequireFolder(), file)))]);
}
