using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What a model says of its weights.</summary>
internal static class HourglassFacts
{
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
