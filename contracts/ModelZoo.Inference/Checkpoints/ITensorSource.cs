using System.Text.RegularExpressions;
using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>Where a network's weights come from: a checkpoint file, several, or an inventory that only records what is asked for.</summary>
public interface ITensorSource
{
    /// <summary>Where the tensors are, for messages: a path.</summary>
    string Origin { get; }

    /// <summary>Every tensor that is there: published name, type and shape.</summary>
    IReadOnlyCollection<TensorInfo> Tensors { get; }

    /// <summary>Published names of the tensors that nobody has asked for yet.</summary>
    IReadOnlyCollection<string> Unused => [];

    /// <summary>The tensor of that published name as it is stored, or null when there is none. Marks it as used.</summary>
    WeightData? Find(string name);

    /// <summary>
    /// A tensor derived from others (converted, transposed, weight-norm folded), made once per key by <paramref name="make"/> and then shared by every network of this source.
    /// </summary>
    WeightData Derive(string key, Func<WeightData> make);
}

/// <summary>Checks on a source of tensors.</summary>
public static class TensorSources
{
    // PyTorch's batch norms count the batches of training; no network computes with that.
    private const string BatchCounter = "num_batches_tracked";

    /// <summary>Throws one error that lists every tensor that no network has asked for: a sign that the architecture is another one.</summary>
    /// <param name="source">The source, after all networks were built from it.</param>
    /// <param name="ignored">Regular expressions of published names that need not be used; counters of batch norms never need be.</param>
    /// <exception cref="CheckpointException"><see cref="ErrorCodes.CheckpointTensorUnused"/>.</exception>
    public static void ThrowIfUnused(this ITensorSource source, params string[] ignored)
    {
        var unused = source.Unused.Where(name => !name.EndsWith(BatchCounter, StringComparison.Ordinal) && !ignored.Any(pattern => Regex.IsMatch(name, pattern, RegexOptions.CultureInvariant))).Order(StringComparer.Ordinal).ToArray();
        if (unused.Length == 0) return;
        var shapes = source.Tensors.GroupBy(t => t.Name).ToDictionary(t => t.Key, t => t.First());
        string Describe(string name) => shapes.TryGetValue(name, out var info) ? $"{name} [{string.Join(", ", info.Shape)}]" : name;
        throw new CheckpointException(ErrorCodes.CheckpointTensorUnused, "The checkpoint has tensors that the network does not use.")
        {
            Where = source.Origin,
            Expected = $"only the {source.Tensors.Count - unused.Length} that are used",
            Found = $"{unused.Length} more: {string.Join(", ", unused.Take(40).Select(Describe))}{(unused.Length > 40 ? ", ..." : "")}",
            Remedy = "Does the configuration belong to these weights?",
        };
    }
}

/// <summary>Name, type and shape of a stored tensor.</summary>
/// <param name="Name">Published name.</param>
/// <param name="Type">Type of the elements as stored.</param>
/// <param name="Shape">Extents, outermost first.</param>
public sealed record TensorInfo(string Name, ElementType Type, EquatableList<long> Shape);
