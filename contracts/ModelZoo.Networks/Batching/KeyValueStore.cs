using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>
/// The caches of one network. Requests share shelves, whose rows are side by side in one buffer for each layer, so that one run steps all of them; a shelf has room for as many requests as a batch, and what comes beyond gets a shelf of its own.
/// </summary>
internal sealed class KeyValueStore
{
    private readonly Session _session;
    private readonly Dim _count;
    private readonly Dictionary<string, GraphPort> _inputs; // but for those of the cache
    private readonly GraphPort[] _outputs;
    private readonly BatchSettings? _batching;
    private readonly Lock _gate = new();
    private readonly List<KeyValueShelf> _shelves = [];

    /// <summary>A store.</summary>
    /// <param name="session">A session of a graph with a cache.</param>
    /// <param name="count">New positions of a step, by extents of its inputs.</param>
    /// <param name="batching">How steps are taken together; null when each request runs alone.</param>
    /// <exception cref="GraphException">An input or output does not begin with the extent of the rows.</exception>
    public KeyValueStore(Session session, Dim count, BatchSettings? batching)
    {
        (_session, _count) = (session, count);
        _inputs = session.Inputs.Where(port => port.Name is not (KeyValueCache.Last or KeyValueCache.Total or KeyValueCache.Places) && !port.Name.StartsWith("past_", StringComparison.Ordinal)).ToDictionary(port => port.Name);
        _outputs = [.. session.Outputs.Where(port => !port.Name.StartsWith("present_", StringComparison.Ordinal))];
        // Rows of a shelf are views, which only the processor's memory has.
        _batching = session.Device.Kind == DeviceKind.Cpu ? batching : null;
        if (_batching is not null) RowBatcher.Require(session.Name, session.Inputs.Where(port => port.Name != KeyValueCache.Total).Concat(session.Outputs));
    }

    /// <summary>Bytes of all buffers.</summary>
    public long Bytes
    {
        get
        {
            lock (_gate) return _shelves.Sum(shelf => shelf.Bytes);
        }
    }

    /// <summary>Sequences of a request.</summary>
    public KeyValueState Begin(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        lock (_gate)
        {
            var shelf = _shelves.Find(candidate => candidate.Requests < (_batching?.Limit ?? 1));
            if (shelf is null) _shelves.Add(shelf = new(_session, _batching));
            var state = new KeyValueState(this, shelf, rows);
            shelf.Add(state);
            return state;
        }
    }

    /// <summary>Takes a request's sequences away.</summary>
    public void Release(KeyValueState state)
    {
        lock (_gate)
        {
            state.Shelf.Remove(state);
            if (state.Shelf.Requests == 0) _shelves.Remove(state.Shelf);
        }
    }

    /// <summary>A step of a request.</summary>
    public async Task<NetworkOutputs> StepAsync(KeyValueState state, (string Name, Tensor Tensor)[] inputs, CancellationToken cancel)
    {
        var named = inputs.ToDictionary(input => input.Name, input => input.Tensor);
        if (!_inputs.Keys.ToHashSet().SetEquals(named.Keys)) throw new ModelZooException(ErrorCodes.TensorType, "The inputs of a step are not those of the network.") { Where = _session.Name, Expected = string.Join(", ", _inputs.Keys), Found = string.Join(", ", named.Keys) };
        if (inputs.FirstOrDefault(input => input.Tensor.Rank == 0 || input.Tensor.Shape[0] != state.Rows) is (var name, { } odd))
            throw new ModelZooException(ErrorCodes.TensorType, "An input has another number of rows than the sequences.") { Where = $"{_session.Name}: {name}", Expected = $"[{state.Rows}, ..]", Found = odd.ToString() };
        var call = new StepCall(state, named, _count.Evaluate(symbol => Extent(symbol, named)), cancel) { Loops = true };
        return new(_outputs, await state.Shelf.StepAsync(call).ConfigureAwait(false));
    }

    private long Extent(string symbol, Dictionary<string, Tensor> inputs)
    {
        foreach (var (name, port) in _inputs)
        {
            for (var axis = 0; axis < port.Shape.Count; axis++)
            {
                if (port.Shape[axis].Symbol == symbol && axis < inputs[name].Rank) return inputs[name].Shape[axis];
            }
        }

        throw new GraphException("The number of new positions is no extent of an input.") { Where = _session.Name, Expected = symbol };
    }
}

/// <summary>A step of a request.</summary>
/// <param name="state">Its sequences.</param>
/// <param name="inputs">Its inputs, but for those of the cache.</param>
/// <param name="count">New positions.</param>
/// <param name="cancel">Gives it up.</param>
internal sealed class StepCall(KeyValueState state, IReadOnlyDictionary<string, Tensor> inputs, long count, CancellationToken cancel) : BatchCall(inputs, cancel)
{
    /// <summary>Its sequences.</summary>
    public KeyValueState State => state;

    /// <summary>New positions.</summary>
    public long Count => count;

    /// <inheritdoc/>
    public override object Request => state;
}
