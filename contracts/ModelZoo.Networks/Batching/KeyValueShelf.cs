using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>
/// Caches of some requests side by side: one buffer (rows, heads, capacity, W) for each input of the cache. The rows of a request are neighbours; when one leaves, others move into its place, so that a step runs over rows that are in use.
/// Capacity and rows grow by doubling. One run at a time; requests come and go at any time.
/// </summary>
internal sealed class KeyValueShelf
{
    private const int FirstCapacity = 64, Spare = 8; // a little more than a power of two: so many codes and a condition

    private readonly Lock _gate = new();
    private readonly List<KeyValueState> _members = [], _gone = [];
    private readonly Dictionary<string, Tensor> _gathered = [];
    private readonly GraphPort[] _caches;
    private readonly string[] _results;
    private readonly Dictionary<string, DeviceTensor> _buffers = [];
    private readonly Session _session;
    private readonly CallLine<StepCall>? _line;
    private BoundRun? _run;
    private (int First, int Rows) _bound;
    private int _rowCapacity, _rows;
    private long _capacity;
    private bool _isRunning;

    /// <summary>An empty shelf.</summary>
    /// <param name="session">A session of a graph with a cache.</param>
    /// <param name="batching">How steps are taken together; null for a shelf of one request.</param>
    public KeyValueShelf(Session session, BatchSettings? batching)
    {
        _session = session;
        _caches = [.. session.Inputs.Where(port => port.Name.StartsWith("past_", StringComparison.Ordinal))];
        _results = [.. session.Outputs.Select(port => port.Name).Where(name => !name.StartsWith("present_", StringComparison.Ordinal))];
        if (batching is not null) _line = new(batching, (a, b) => a.Count == 1 && b.Count == 1 && a.Fits(b), Run);
    }

    /// <summary>Requests that are here.</summary>
    public int Requests
    {
        get
        {
            lock (_gate) return _members.Count - _gone.Count;
        }
    }

    /// <summary>Bytes of the buffers.</summary>
    public long Bytes { get; private set; }

    /// <summary>A request comes; it gets its rows with its first step.</summary>
    public void Add(KeyValueState state)
    {
        lock (_gate) _members.Add(state);
    }

    /// <summary>A request leaves.</summary>
    public void Remove(KeyValueState state)
    {
        lock (_gate)
        {
            if (!_members.Contains(state) || _gone.Contains(state)) return;
            _gone.Add(state);
            if (!_isRunning) TidyUp();
        }

        _line?.Leave(state);
    }

    /// <summary>A step, perhaps with those of others.</summary>
    public Task<IReadOnlyDictionary<string, Tensor>> StepAsync(StepCall call) => _line?.RunAsync(call) ?? Task.Run(() => Run([call], call.Cancel)[0], call.Cancel);

    // Steps of several requests of one new position each, or a step of one request of any number. Gives the outputs of each.
    private IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Run(IReadOnlyList<StepCall> calls, CancellationToken cancel)
    {
        lock (_gate) _isRunning = true;
        try
        {
            foreach (var call in calls) Place(call.State);
            var (first, end) = (calls.Min(call => call.State.First), calls.Max(call => call.State.First + call.State.Rows));
            var present = Within(first, end);
            Reserve(present.Max(state => state.Length + (calls.FirstOrDefault(call => call.State == state)?.Count ?? 1)));
            Bind(first, end - first);
            Feed(calls, present, first, end - first);
            foreach (var name in _results) _run!.BindOutput(name);
            _run!.Run(cancel);
            var outputs = Collect(calls, first, end - first);
            foreach (var call in calls) call.State.Length += call.Count;
            return outputs;
        }
        finally
        {
            lock (_gate)
            {
                _isRunning = false;
                TidyUp();
            }
        }
    }

    private List<KeyValueState> Within(int first, int end)
    {
        lock (_gate) return _members.FindAll(state => state.First >= first && state.First < end);
    }

    private void Place(KeyValueState state)
    {
        if (state.First >= 0) return;
        state.First = _rows;
        _rows += state.Rows;
    }

    // Rows whose requests are not in this run are stepped with any numbers: what that writes after their last position, their own next step writes over.
    private void Feed(IReadOnlyList<StepCall> calls, List<KeyValueState> present, int first, int rows)
    {
        var count = calls[0].Count;
        var (last, positions) = (new int[rows], new long[rows * count]);
        foreach (var state in present)
        {
            var steps = calls.Any(call => call.State == state);
            last.AsSpan(state.First - first, state.Rows).Fill((int)(state.Length + (steps ? count : 1) - 1));
            for (var i = 0; steps && i < state.Rows * count; i++) positions[(state.First - first) * count + i] = state.Length + i % count;
        }

        _run!.Bind(KeyValueCache.Last, Tensor.Create(last, rows));
        _run.Bind(KeyValueCache.Total, Tensor.Scalar(last.Max() + 1));
        _run.Bind(KeyValueCache.Places, Tensor.Create(positions, rows, count));
        foreach (var (name, tensor) in calls[0].Inputs)
        {
            if (calls.Count == 1)
            {
                _run.Bind(name, tensor);
                continue;
            }

            if (!_gathered.TryGetValue(name, out var joined) || joined.Shape[0] != rows || joined.Type != tensor.Type || !joined.Shape[1..].SequenceEqual(tensor.Shape[1..])) _gathered[name] = joined = TensorRows.Like(tensor, rows);
            foreach (var call in calls) TensorRows.Put(call.Inputs[name], joined, call.State.First - first);
            _run.Bind(name, joined);
        }
    }

    private Dictionary<string, Tensor>[] Collect(IReadOnlyList<StepCall> calls, int first, int rows)
    {
        var outputs = calls.Select(_ => new Dictionary<string, Tensor>()).ToArray();
        foreach (var name in _results)
        {
            using var result = _run!.Take(name);
            for (var i = 0; i < calls.Count; i++)
            {
                if (calls[i].State.Rows == rows)
                {
                    outputs[i][name] = result.ToTensor();
                    continue;
                }

                using var part = result.Rows(calls[i].State.First - first, calls[i].State.Rows);
                outputs[i][name] = part.ToTensor();
            }
        }

        return outputs;
    }

    // Rows of the buffers as both the past and the present.
    private void Bind(int first, int rows)
    {
        if (_bound == (first, rows)) return;
        _bound = (first, rows);
        foreach (var (name, buffer) in _buffers)
        {
            using var part = rows == _rowCapacity ? null : buffer.Rows(first, rows);
            _run!.Bind(name, part ?? buffer);
            _run.BindOutput("present_" + name["past_".Length..], part ?? buffer);
        }
    }

    // Room for all rows, and so many positions in each.
    private void Reserve(long positions)
    {
        var (rows, capacity) = (Math.Max(_rowCapacity, _rows), _capacity);
        if (rows > _rowCapacity && _rowCapacity > 0) rows = Math.Max(rows, 2 * _rowCapacity);
        if (positions > capacity) capacity = (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Max(FirstCapacity, positions - Spare)) + Spare;
        if (rows == _rowCapacity && capacity == _capacity) return;
        _run ??= _session.Bind();
        foreach (var (name, type, shape) in _caches)
        {
            var grown = _session.Allocate(type, rows, shape[1].Size, capacity, shape[3].Size);
            _buffers.Remove(name, out var before);
            Copy(before, grown);
            _buffers[name] = grown;
            before?.Dispose();
        }

        (_rowCapacity, _capacity, _bound) = (rows, capacity, default);
        Bytes = _buffers.Values.Sum(buffer => buffer.ByteLength);
    }

    // What was there, and zeros behind it.
    private static void Copy(DeviceTensor? from, DeviceTensor to)
    {
        if (!to.IsOnCpu)
        {
            CopyThroughHost(from, to);
            return;
        }

        var target = to.Bytes;
        target.Clear();
        if (from is null) return;
        var source = from.Bytes;
        var position = (int)(to.Shape[3] * to.Type.Size());
        var (stretch, step) = ((int)from.Shape[2] * position, (int)to.Shape[2] * position);
        for (var i = 0; i < from.Shape[0] * from.Shape[1]; i++) source.Slice(i * stretch, stretch).CopyTo(target[(i * step)..]);
    }

    private static void CopyThroughHost(DeviceTensor? from, DeviceTensor to)
    {
        var (capacity, width) = (to.Shape[2], to.Shape[3]);
        var target = TensorRows.Zeros(to.Type, to.Shape[0] * to.Shape[1] * capacity, width);
        if (from is not null)
        {
            var (source, before) = (from.ToTensor().Reshape(Tensor.Count(from.Shape[..3]), width), from.Shape[2]);
            for (var i = 0; i < from.Shape[0] * from.Shape[1]; i++) TensorRows.Put(TensorRows.Take(source, i * before, before), target, i * capacity);
        }

        to.CopyFrom(target.Reshape(to.Shape));
    }

    // Under the gate, between runs. The last request moves into the place of one that left where it fits, else all behind it move up.
    private void TidyUp()
    {
        foreach (var gone in _gone)
        {
            _members.Remove(gone);
            if (gone.First < 0) continue;
            var behind = _members.Where(state => state.First > gone.First).OrderBy(state => state.First).ToList();
            if (behind is [.., var last] && last.Rows == gone.Rows) Move(last, gone.First);
            else if (behind.Count > 0) behind.ForEach(state => Move(state, state.First - gone.Rows));
            _rows -= gone.Rows;
        }

        _gone.Clear();
        if (_members.Count > 0 || _run is null) return;
        _run.Dispose();
        foreach (var buffer in _buffers.Values) buffer.Dispose();
        _buffers.Clear();
        (_run, _rowCapacity, _capacity, _bound, Bytes) = (null, 0, 0, default, 0);
    }

    private void Move(KeyValueState state, int first)
    {
        foreach (var buffer in _buffers.Values)
        {
            var bytes = buffer.Bytes;
            var row = bytes.Length / _rowCapacity;
            bytes.Slice(state.First * row, state.Rows * row).CopyTo(bytes[(first * row)..]);
        }

        state.First = first;
    }
}
