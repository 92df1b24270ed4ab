using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Finds the weights in a published folder.</summary>
internal static class Weights
{
    /// <summary>The source without a file that is not weights of the network, such as statistics of its training data.</summary>
    public static ModelSource Without(ModelSource source, string file)
    {
        if (source.Parts.Count > 0) return source with { Parts = [.. source.Parts.Where(part => part.File != file)] };
        var others = Directory.GetFiles(source.RequireFolder(), "*.pt").Select(path => Path.GetFileName(path)).Where(name => name != file).ToArray();
        return others.Length == 1 ? source with { Parts = [new(others[0])] } : source;
    }

    /// <summary>The base weights of a folder that holds further files: the first part that the source names, or the folder's usual file.</summary>
    public static Checkpoint Base(ModelSource source) =>
        source.Parts.Count > 0 ? Checkpoint.Open(Path.Combine(source.RequireFolder(), source.Parts[0].File), source.Parts[0].Key) : Checkpoint.Open(source.RequireFolder());

    /// <summary>The same, where the usual file is one of several: the only one of a pattern.</summary>
    public static Checkpoint Base(ModelSource source, string pattern) =>
        source.Parts.Count == 0 && Directory.GetFiles(source.RequireFolder(), pattern) is [var file] ? Checkpoint.Open(file) : Base(source);

    /// <summary>The files beside the base weights: the other parts that the source names, or those of a pattern, in order of name.</summary>
    /// <exception cref="CheckpointException">There is none.</exception>
    public static IReadOnlyList<Checkpoint> Companions(ModelSource source, string pattern)
    {
        var folder = source.RequireFolder();
        string[] files = source.Parts.Count > 0 ? [.. source.Parts.Skip(1).Select(part => Path.Combine(folder, part.File))] : [.. Directory.GetFiles(folder, pattern).Order(StringComparer.Ordinal)];
        return files.Length > 0 ? [.. files.Select(file => Checkpoint.Open(file))] : throw new CheckpointException(ErrorCodes.CheckpointMissing, "The file that adapts the base model is not there.") { Where = folder, Expected = pattern };
    }

    /// <summary>Opens a model, giving up its files when that fails.</summary>
    public static ValueTask<IModel> Guarded(Checkpoint checkpoint, Func<Checkpoint, PublishedModel> open)
    {
        try
        {
            return ValueTask.FromResult<IModel>(open(checkpoint));
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }
}
