using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>What all recommenders say of themselves.</summary>
internal static class ItemFacts
{
    /// <summary>The metrics of leave-one-out evaluation.</summary>
    public static IReadOnlyList<string> Metrics { get; } = ["recall@5", "recall@10", "ndcg@5", "ndcg@10"];

    /// <summary>The items of a history.</summary>
    /// <exception cref="MediaException">There are none.</exception>
    public static IReadOnlyList<string> NotEmpty(this Items history) => history.Ids.Count > 0 ? history.Ids
        : throw new MediaException(ErrorCodes.MediaMalformed, "The history is empty.") { Expected = "at least one item" };

    /// <summary>Facts of a checkpoint and the networks built from it.</summary>
    public static ModelFacts Of(Checkpoint checkpoint, IEnumerable<Network> networks, params KeyValuePair<string, string>[] properties)
    {
        var built = networks.ToArray();
        return new()
        {
            Parameters = checkpoint.Tensors.Where(tensor => tensor.Type.IsFloat()).Sum(tensor => Tensor.Count([.. tensor.Shape])),
            MappedBytes = built.Sum(network => network.Session.Memory.MappedBytes),
            PrivateBytes = built.Sum(network => network.Session.Memory.PrivateBytes),
            Digests = checkpoint.DigestsAsync,
            Properties = properties,
        };
    }
}
