using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Keys and values that a <see cref="CausalStack"/> left behind: what it goes on from. Never changed, so that one past may have several futures.</summary>
/// <param name="Length">Places so far.</param>
/// <param name="Layers">Keys and values of each layer, (B, places, heads W).</param>
internal sealed record StackPast(int Length, IReadOnlyList<(Tensor<float> Keys, Tensor<float> Values)> Layers);

/// <summary>What a stack gave, stretch after stretch.</summary>
internal sealed class StackOutputs(IReadOnlyList<NetworkOutputs> stretches)
{
    /// <summary>The output of that name, of all places (B, N, ..).</summary>
    public Tensor<float> this[string name] => stretches is [var only] ? only[name] : Joined([.. stretches.Select(stretch => stretch[name])]);

    private static Tensor<float> Joined(Tensor<float>[] parts)
    {
        var joined = Tensor.Zeros<float>([parts[0].Shape[0], parts.Sum(part => part.Shape[1]), .. parts[0].Shape[2..]]);
        for (var row = 0; row < (int)joined.Shape[0]; row++)
        {
            var rest = joined.Slice(row).Span;
            foreach (var part in parts)
            {
                part.Slice(row).Span.CopyTo(rest);
                rest = rest[part.Slice(row).Span.Length..];
            }
        }

        return joined;
    }
}

/// <summary>One of the hourglass's three stacks of layers, which takes new places and goes on from its past.</summary>
internal sealed class CausalStack : IDisposable
{
    /// <summary>Places that go through the layers at once: of longer sequences one stretch after the other, whose attention stays small.</summary>
    public const int Stretch = 512;

    private const int LeastCapacity = 64;
    private readonly HourglassConfig _config;
    private readonly Network _layers;
    private readonly Network? _distances;
    private readonly int _count;
    private Tensor<float>[] _tables = [];
    private int _runs;

    /// <summary>Builds the stack.</summary>
    /// <param name="context">Engine, weights, device.</param>
    /// <param name="name">Name of the networks, for messages.</param>
    /// <param name="config">Published settings.</param>
    /// <param name="stack">Number of the stack: <c>layers.0</c> to <c>layers.2</c>.</param>
    /// <param name="count">Its layers.</param>
    /// <param name="input">Declares the inputs and gives what enters the first layer, (B, N, D).</param>
    /// <param name="output">Declares the outputs.</param>
    public CausalStack(NetworkContext context, string name, HourglassConfig config, int stack, int count, Func<Scope, Value> input, Action<Scope, Value> output)
    {
        (_config, _count) = (config, count);
        _layers = Network.Build(context, name, model => Build(model, config, stack, count, input, output));
        if (count > 0) _distances = Network.Build(context, $"{name} distances", model => BuildDistances(model, config, stack, count));
    }

    /// <summary>Runs so far.</summary>
    public int Runs => _runs;

    /// <summary>The networks.</summary>
    public IEnumerable<Network> Networks => _distances is null ? [_layers] : [_layers, _distances];

    /// <summary>The stack as a graph.</summary>
    public static void Build(Scope model, HourglassConfig config, int stack, int count, Func<Scope, Value> input, Action<Scope, Value> output)
    {
        var (g, x) = (model.Graph, input(model));
        Shape before = [x.Shape[0], Dim.Symbol("past"), config.HeadsWidth];
        for (var i = 0; i < count; i++)
        {
            var past = new PastLayer(g.Input($"past_keys_{i}", before), g.Input($"past_values_{i}", before));
            var distances = g.Input($"distances_{i}", [config.NHead, config.DHead, Dim.Symbol("capacity")]);
            (x, var present) = HourglassNetwork.Layer(model, model["layers"][stack][i], x, distances, past, config);
            g.Output($"keys_{i}", present.Keys);
            g.Output($"values_{i}", present.Values);
        }

        output(model, x);
    }

    /// <summary>The keys of distances, as a graph.</summary>
    public static void BuildDistances(Scope model, HourglassConfig config, int stack, int count)
    {
        var distances = model.Graph.Input("distances", [Dim.Symbol("capacity")]);
        for (var i = 0; i < count; i++) model.Graph.Output($"distances_{i}", HourglassNetwork.Distances(model, model["layers"][stack][i], distances, config));
    }

    /// <summary>The past of sequences that begin.</summary>
    public StackPast Begin(int rows = 1) => new(0, [.. Enumerable.Range(0, _count).Select(_ => (Empty(rows), Empty(rows)))]);

    /// <summary>Runs new places (B, N, ..).</summary>
    /// <param name="input">Name and numbers of the input.</param>
    /// <param name="past">What came before.</param>
    /// <param name="cancel">Stops the run.</param>
    public async Task<(StackOutputs Outputs, StackPast Past)> RunAsync((string Name, Tensor Tensor) input, StackPast past, CancellationToken cancel)
    {
        var (stretches, count) = (new List<NetworkOutputs>(), (int)input.Tensor.Shape[1]);
        for (var first = 0; first < count; first += Stretch)
        {
            var stretch = count <= Stretch ? input.Tensor : Part(input.Tensor, first, Math.Min(first + Stretch, count));
            (var outputs, past) = await StepAsync((input.Name, stretch), past, cancel).ConfigureAwait(false);
            stretches.Add(outputs);
        }

        return (new(stretches), past);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _layers.Dispose();
        _distances?.Dispose();
    }

    private async Task<(NetworkOutputs Outputs, StackPast Past)> StepAsync((string Name, Tensor Tensor) input, StackPast past, CancellationToken cancel)
    {
        var length = past.Length + (int)input.Tensor.Shape[1];
        var tables = await TablesAsync(length, cancel).ConfigureAwait(false);
        var inputs = new List<(string, Tensor)> { input };
        for (var i = 0; i < _count; i++) inputs.AddRange([($"past_keys_{i}", past.Layers[i].Keys), ($"past_values_{i}", past.Layers[i].Values), ($"distances_{i}", tables[i])]);
        var outputs = await _layers.RunAsync(cancel, [.. inputs]).ConfigureAwait(false);
        Interlocked.Increment(ref _runs);
        return (outputs, new(length, [.. Enumerable.Range(0, _count).Select(i => (outputs[$"keys_{i}"], outputs[$"values_{i}"]))]));
    }

    // Made anew, twice as long, when a sequence outgrows them; two that outgrow them at once make the same.
    private async Task<Tensor<float>[]> TablesAsync(int length, CancellationToken cancel)
    {
        var tables = Volatile.Read(ref _tables);
        if (_distances is null || (tables.Length > 0 && tables[0].Shape[^1] >= length)) return tables;
        var capacity = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(length, LeastCapacity));
        var distances = Tensor.Create([.. Enumerable.Range(0, capacity).Select(i => (float)(capacity - 1 - i))], capacity);
        var outputs = await _distances.RunAsync(cancel, ("distances", distances)).ConfigureAwait(false);
        tables = [.. Enumerable.Range(0, _count).Select(i => outputs[$"distances_{i}"])];
        Volatile.Write(ref _tables, tables);
        return tables;
    }

    // Some places of each row.
    private static Tensor Part(Tensor x, int first, int end) => x is Tensor<long> ids ? Part(ids, first, end) : Part(x.As<float>(), first, end);

    private static Tensor<T> Part<T>(Tensor<T> x, int first, int end) where T : unmanaged
    {
        var part = Tensor.Zeros<T>([x.Shape[0], end - first, .. x.Shape[2..]]);
        var size = x.Slice(0).Span.Length / (int)x.Shape[1];
        for (var row = 0; row < (int)x.Shape[0]; row++) x.Slice(row).Span[(first * size)..(end * size)].CopyTo(part.Slice(row).Span);
        return part;
    }

    private Tensor<float> Empty(int rows) => Tensor.Zeros<float>(rows, 0, _config.HeadsWidth);
}
