using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>Takes runs of one network together whose rows do not see each other.</summary>
internal sealed class RowBatcher
{
    private readonly Session _session;
    private readonly CallLine<BatchCall> _line;

    /// <summary>A batcher over a session whose inputs and outputs all have the same symbolic extent in front.</summary>
    public RowBatcher(Session session, BatchSettings settings) => (_session, _line) = (session, new(settings, (a, b) => a.Fits(b), Run));

    /// <summary>Refuses inputs and outputs that do not begin with one symbolic extent.</summary>
    /// <exception cref="GraphException">One does not.</exception>
    public static void Require(string network, IEnumerable<GraphPort> ports)
    {
        var symbol = ports.Select(port => port.Shape.Count > 0 ? port.Shape[0].Symbol : null).FirstOrDefault();
        if (ports.FirstOrDefault(port => symbol is null || port.Shape.Count == 0 || port.Shape[0].Symbol != symbol) is { } odd)
            throw new GraphException($"The network was declared to have independent rows, but '{odd.Name}' does not begin with their extent.") { Where = network, Expected = symbol ?? "a symbolic first extent", Found = string.Join(", ", odd.Shape) };
    }

    /// <summary>Runs, perhaps with others.</summary>
    public Task<IReadOnlyDictionary<string, Tensor>> RunAsync(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancel) =>
        inputs.Count == 0 || inputs.Values.Any(tensor => tensor.Rank == 0 || tensor.Shape[0] != inputs.Values.First().Shape[0])
            ? Task.Run(() => _session.Run(inputs, null, cancel), cancel) // the session says what is wrong
            : _line.RunAsync(new(inputs, cancel));

    private IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Run(IReadOnlyList<BatchCall> batch, CancellationToken cancel)
    {
        if (batch is [var alone]) return [_session.Run(alone.Inputs, null, cancel)];
        var rows = batch.Sum(call => call.Rows);
        var outputs = _session.Run(batch[0].Inputs.Keys.ToDictionary(name => name, name =>
        {
            var joined = TensorRows.Like(batch[0].Inputs[name], rows);
            var at = 0L;
            foreach (var call in batch)
            {
                TensorRows.Put(call.Inputs[name], joined, at);
                at += call.Rows;
            }

            return joined;
        }), null, cancel);
        var first = 0L;
        return [.. batch.Select(call =>
        {
            var from = first;
            first += call.Rows;
            return outputs.ToDictionary(output => output.Key, output => TensorRows.Take(output.Value, from, call.Rows));
        })];
    }
}
