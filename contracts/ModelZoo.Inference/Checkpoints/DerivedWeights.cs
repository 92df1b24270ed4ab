using System.Collections.Concurrent;

namespace ModelZoo.Inference;

/// <summary>Weights made from others, once a key, also when several networks are built at once.</summary>
internal sealed class DerivedWeights
{
    private readonly ConcurrentDictionary<string, Lazy<WeightData>> _made = new();

    public WeightData Get(string key, Func<WeightData> make) => _made.GetOrAdd(key, static (_, make) => new(make), make).Value;

    public void Clear() => _made.Clear();
}
