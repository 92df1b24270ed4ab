using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>
/// Sequences of one request over a network with a <see cref="KeyValueCache"/>, all of one length. Their steps are run together with those of other requests, whatever the lengths of those. One step at a time; it must have ended before
/// the state is disposed.
/// </summary>
public sealed class KeyValueState : IDisposable
{
    private readonly KeyValueStore _store;

    internal KeyValueState(KeyValueStore store, KeyValueShelf shelf, int rows) => (_store, Shelf, Rows) = (store, shelf, rows);

    /// <summary>Sequences side by side.</summary>
    public int Rows { get; }

    /// <summary>Positions so far.</summary>
    public long Length { get; internal set; }

    internal KeyValueShelf Shelf { get; }

    /// <summary>Row of the shelf that is the first of these; -1 before the first step.</summary>
    internal int First { get; set; } = -1;

    /// <summary>Runs new positions and keeps their keys and values. Gives the other outputs by name, stages included.</summary>
    /// <exception cref="ModelZooException">An input does not fit, or the engine failed; the state is as it was before.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> was cancelled; the state is as it was before.</exception>
    public Task<NetworkOutputs> StepAsync(CancellationToken cancel, params (string Name, Tensor Tensor)[] inputs) => _store.StepAsync(this, inputs, cancel);

    /// <summary>Forgets the positions after the first <paramref name="length"/>: 0 starts anew. Not while a step is under way.</summary>
    public void Truncate(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = Math.Min(Length, length);
    }

    /// <inheritdoc/>
    public void Dispose() => _store.Release(this);
}
