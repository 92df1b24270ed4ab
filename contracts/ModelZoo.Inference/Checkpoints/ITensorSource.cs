using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>Where a network's weights come from: a checkpoint file, several, or an inventory that only records what is asked for.</summary>
public interface ITensorSource
{
    /// <summary>Where the tensors are, for messages: a path.</summary>
    string Origin { get; }

    /// <summary>Every tensor that is there: published name, type and shape.</summary>
    IReadOnlyCollection<TensorInfo> Tensors { get; }

    /// <summary>The tensor of that published name as it is stored, or null when there is none. Marks it as used.</summary>
    WeightData? Find(string name);

    /// <summary>
    /// A tensor derived from others (converted, transposed, weight-norm folded), made once per key by <paramref name="make"/> and then shared by every network of this source.
    /// </summary>
    WeightData Derive(string key, Func<WeightData> make);
}

/// <summary>Name, type and shape of a stored tensor.</summary>
/// <param name="Name">Published name.</param>
/// <param name="Type">Type of the elements as stored.</param>
/// <param name="Shape">Extents, outermost first.</param>
public sealed record TensorInfo(string Name, ElementType Type, EquatableList<long> Shape);
