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
    private readonly Random _random = new(1);

    public RandomWeights(Action<Scope> build)
    {
        foreach (var line in Network.Inventory(build))
        {
            var bracket = line.IndexOf(" [", StringComparison.Ordinal);
            _shapes[line[..bracket]] = [.. line[(bracket + 2)..^1].Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(long.Parse)];
        }
    }

    /// <summary>Where the files of these benchmarks are.</summary>
    public static string Folder => Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "modelzoo-benchmarks")).FullName;

    /// <summary>The same as a mapped checkpoint, whose file is made once.</summary>
    public static Checkpoint File(string name, Action<Scope> build)
    {
        var path = Path.Combine(Folder, name + ".safetensors");
        if (!System.IO.File.Exists(path))
        {
            var weights = new RandomWeights(build);
            SafetensorsWriter.Write(path, weights.Tensors.ToDictionary(tensor => tensor.Name, weights.Make));
        }

        return Checkpoint.Open(path);
    }

    public string Origin => "random";

    public IReadOnlyCollection<TensorInfo> Tensors => [.. _shapes.Select(pair => new TensorInfo(pair.Key, ElementType.Float32, [.. pair.Value]))];

    public WeightData? Find(string name) => _shapes.TryGetValue(name, out var shape) ? Derive(name, () => WeightData.Create<float>(shape, values => Fill(_random, values))) : null;

    public WeightData Derive(string key, Func<WeightData> make) => _data.GetOrAdd(key, _ => make());

    /// <summary>Normal numbers times 0.02, drawn from a small table. No two tensors are equal: the engine keeps what is packed alike once.</summary>
    public static void Fill(Random random, Span<float> values)
    {
        foreach (ref var value in values) value = Table[random.Next(Table.Length)];
    }

    private Tensor Make(TensorInfo info)
    {
        var tensor = Tensor.Zeros<float>([.. info.Shape]);
        Fill(_random, tensor.Span);
        return tensor;
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
