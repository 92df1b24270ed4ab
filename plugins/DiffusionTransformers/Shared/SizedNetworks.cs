using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>One network for each picture size, built when a size first comes and kept while it is among the last few. Each is built once, however many ask at a time.</summary>
/// <param name="build">Builds the network of a size.</param>
/// <param name="capacity">Sizes that are kept.</param>
internal sealed class SizedNetworks(Func<(long Height, long Width), Network> build, int capacity = 4) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = [];

    /// <summary>Runs the network of a size on the thread pool.</summary>
    public async Task<NetworkOutputs> RunAsync(long height, long width, CancellationToken cancel, params (string Name, Tensor Tensor)[] inputs)
    {
        var entry = Lease((height, width));
        try
        {
            return await (await Task.Run(() => entry.Network.Value, cancel).ConfigureAwait(false)).RunAsync(cancel, inputs).ConfigureAwait(false);
        }
        finally
        {
            Release(entry);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var entry in _entries) entry.Dispose();
            _entries.Clear();
        }
    }

    private Entry Lease((long, long) size)
    {
        lock (_gate)
        {
            var entry = _entries.Find(entry => entry.Size == size) ?? new(size, new(() => build(size)));
            _entries.Remove(entry);
            _entries.Add(entry);
            entry.Users++;
            return entry;
        }
    }

    private void Release(Entry entry)
    {
        lock (_gate)
        {
            entry.Users--;
            // The least recently used of those that nobody runs.
            while (_entries.Count > capacity && _entries.Find(idle => idle.Users == 0) is { } oldest)
            {
                _entries.Remove(oldest);
                oldest.Dispose();
            }
        }
    }

    private sealed class Entry((long, long) size, Lazy<Network> network) : IDisposable
    {
        public (long, long) Size { get; } = size;

        public Lazy<Network> Network { get; } = network;

        public int Users { get; set; }

        public void Dispose()
        {
            if (Network.IsValueCreated) Network.Value.Dispose();
        }
    }
}
