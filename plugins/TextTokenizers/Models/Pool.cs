namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// Objects that are not in use, no more than two a processor: of more threads than processors, some stand still with what they have rented. Nobody waits: where none is free, a new one is made.
/// A processor gets back what it returned, so that neither the objects nor the places where they are kept wander between the processors' caches.
/// </summary>
/// <typeparam name="T">What is kept.</typeparam>
internal sealed class Pool<T> where T : class, new()
{
    private const int Stride = 16;  // places that share no cache line, nor a pair of them

    private static readonly int Places = Environment.ProcessorCount * 2;

    private readonly T?[] _free = new T?[(Places + 1) * Stride];

    public T Rent()
    {
        for (var (i, place) = (0, Start()); i < Places; i++, place = Next(place))
        {
            ref var free = ref _free[place];
            if (free is not null && Interlocked.Exchange(ref free, null) is { } item) return item;
        }

        return new();
    }

    public void Return(T item)
    {
        for (var (i, place) = (0, Start()); i < Places; i++, place = Next(place))
        {
            ref var free = ref _free[place];
            if (free is null && Interlocked.CompareExchange(ref free, item, null) is null) return;
        }
    }

    private static int Start() => (Thread.GetCurrentProcessorId() % Environment.ProcessorCount + 1) * Stride;

    private static int Next(int place) => place == Places * Stride ? Stride : place + Stride;
}
