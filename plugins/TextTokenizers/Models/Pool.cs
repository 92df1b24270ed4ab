using System.Collections.Concurrent;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Objects that are not in use. Nobody waits: where none is free, a new one is made; no more are kept than there are processors.</summary>
/// <typeparam name="T">What is kept.</typeparam>
internal sealed class Pool<T> where T : class, new()
{
    private readonly ConcurrentBag<T> _free = [];
    private T? _first;

    public T Rent() => Interlocked.Exchange(ref _first, null) ?? (_free.TryTake(out var item) ? item : new());

    public void Return(T item)
    {
        if (Interlocked.CompareExchange(ref _first, item, null) is not null && _free.Count < Environment.ProcessorCount) _free.Add(item);
    }
}
