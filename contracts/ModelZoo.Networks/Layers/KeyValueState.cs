using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>The buffers of a <see cref="KeyValueCache"/>, bound to a run. Not for two threads at once.</summary>
public sealed class KeyValueState : IDisposable
{
    private readonly BoundRun _run;
    private readonly List<DeviceTensor> _buffers = [];
    private readonly long _batch;

    /// <summary>Allocates buffers on the session's device and binds them.</summary>
    /// <param name="session">A session of a graph that declares a cache.</param>
    /// <param name="run">Its bindings.</param>
    /// <param name="batch">Sequences side by side, all of one length.</param>
    /// <param name="capacity">The most positions.</param>
    public KeyValueState(Session session, BoundRun run, long batch, long capacity)
    {
        (_run, _batch, Capacity) = (run, batch, capacity);
        foreach (var port in session.Inputs.Where(port => port.Name.StartsWith("past_", StringComparison.Ordinal)))
        {
            var buffer = session.Allocate(port.Type, batch, port.Shape[1].Size, capacity, port.Shape[3].Size);
            _buffers.Add(buffer);
            run.Bind(port.Name, buffer);
            run.BindOutput("present_" + port.Name["past_".Length..], buffer);
        }
    }

    /// <summary>The most positions.</summary>
    public long Capacity { get; }

    /// <summary>Positions so far.</summary>
    public long Length { get; private set; }

    /// <summary>Bytes on the device.</summary>
    public long Bytes => _buffers.Sum(buffer => buffer.ByteLength);

    /// <summary>Runs a step whose other inputs and outputs are bound.</summary>
    /// <param name="count">New positions.</param>
    /// <param name="cancel">Stops the run.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no room for that many.</exception>
    public void Step(long count, CancellationToken cancel = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Capacity - Length);
        var total = (int)(Length + count);
        var last = new int[_batch];
        Array.Fill(last, total - 1);
        _run.Bind("cache_last", Tensor.Create(last, _batch));
        _run.Bind("cache_total", Tensor.Scalar(total));
        _run.Run(cancel);
        Length = total;
    }

    /// <summary>Forgets the positions after the first <paramref name="length"/>: 0 starts anew.</summary>
    public void Truncate(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = Math.Min(Length, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var buffer in _buffers) buffer.Dispose();
    }
}
