using System.Collections.Concurrent;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>A checkpoint with small random numbers in every tensor that a network asks for.</summary>
internal sealed class RandomWeights : ITensorSource
{
    private readonly Dictionary<string, long[]> _shapes = [];
    private readonly ConcurrentDictionary<string, WeightData> _data = new();

    public RandomWeights(Action<Scope> build)
    {
        foreach (var line in Network.Inventory(build))
        {
            var bracket = line.IndexOf(" [", StringComparison.Ordinal);
            _shapes[line[..bracket]] = [.. line[(bracket + 2)..^1].Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(long.Parse)];
        }
    }

    public string Origin => "random";

    public IReadOnlyCollection<TensorInfo> Tensors => [.. _shapes.Select(pair => new TensorInfo(pair.Key, ElementType.Float32, [.. pair.Value]))];

    public WeightData? Find(string name) => _shapes.TryGetValue(name, out var shape) ? Derive(name, () => WeightData.Create<float>(shape, Fill)) : null;

    public WeightData Derive(string key, Func<WeightData> make) => _data.GetOrAdd(key, _ => make());

    /// <summary>Normal numbers times 0.02, from a small table: their values do not matter.</summary>
    public static void Fill(Span<float> values)
    {
        for (var start = 0; start < values.Length; start += Table.Length) Table.AsSpan(0, Math.Min(Table.Length, values.Length - start)).CopyTo(values[start..]);
    }

    private static readonly float[] Table = MakeTable();

    private static float[] MakeTable()
    {
        var random = new Random(1);
        var table = new float[65521];                                                            // a prime, so that rows differ
        for (var i = 0; i < table.Length; i++) table[i] = (float)(0.02 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return table;
    }
}
