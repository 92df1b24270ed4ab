using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What all models of the family say of themselves.</summary>
internal static class LanguageFacts
{
    /// <summary>Facts of a checkpoint and the networks built from it.</summary>
    public static ModelFacts Of(Checkpoint checkpoint, IEnumerable<Network> networks, params KeyValuePair<string, string>[] properties)
    {
        var memory = networks.Select(network => network.Session.Memory).ToArray();
        return new()
        {
            Parameters = checkpoint.Tensors.Where(tensor => tensor.Type.IsFloat()).Sum(tensor => Tensor.Count([.. tensor.Shape])),
            MappedBytes = memory.Sum(part => part.MappedBytes),
            PrivateBytes = memory.Sum(part => part.PrivateBytes),
            Digests = checkpoint.DigestsAsync,
            Properties = properties,
        };
    }
}
