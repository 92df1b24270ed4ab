using System.Collections.Concurrent;

namespace ModelZoo.Networks;

/// <summary>Networks of a model that are built for a concrete setting (a number of codebooks, a size) when that is first asked for. Each is built once, also when many ask at once.</summary>
/// <typeparam name="TKey">The setting.</typeparam>
public sealed class NetworkCache<TKey>(Func<TKey, Network> build) : IDisposable where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Lazy<Network>> _networks = new();

    /// <summary>The network for a setting.</summary>
    public Network this[TKey key]
    {
        get
        {
            var lazy = _networks.GetOrAdd(key, static (setting, make) => new(() => make(setting)), build);
            try
            {
                return lazy.Value;
            }
            catch
            {
                // A failure is not kept: the next caller tries again.
                _networks.TryRemove(KeyValuePair.Create(key, lazy));
                throw;
            }
        }
    }

    /// <summary>The networks that were built.</summary>
    public IEnumerable<Network> Built => _networks.Values.Where(lazy => lazy.IsValueCreated).Select(lazy => lazy.Value);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var network in Built) network.Dispose();
    }
}
