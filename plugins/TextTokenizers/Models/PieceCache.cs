using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// Tokens of pieces met before, up to four each. A line holds two pieces with their tokens: whoever comes moves in front, and the one behind goes.
/// There are as many lines as pieces that came, up to a bound: a small cache stays near the processor.
/// </summary>
internal sealed class PieceCache
{
    /// <summary>Most tokens of a piece that is kept.</summary>
    public const int MaxTokens = 4;

    private const int LeastBits = 11;
    private const int MostBits = 15;
    private const int IdBits = 24;      // the number of tokens stands above the first

    private struct Slot
    {
        public PieceKey Key;
        public Vector128<int> Tokens;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Line
    {
        public Slot First;
        public Slot Second;
    }

    private CacheLines<Line> _lines = new(1 << LeastBits);
    private int _shift = 64 - LeastBits;
    private int _came;

    /// <summary>Finds the tokens of a piece.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="hash">The key's hash.</param>
    /// <param name="tokens">The tokens.</param>
    /// <param name="count">How many they are; more than <see cref="MaxTokens"/> are kept elsewhere.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGet(in PieceKey key, ulong hash, out Vector128<int> tokens, out int count)
    {
        ref var first = ref _lines.At((nint)(hash >> _shift)).First;
        // Which of the two it is, is not worth a branch.
        var isFirst = first.Key.IsSame(key);
        ref var slot = ref Unsafe.Add(ref first, isFirst ? 0 : 1);
        tokens = slot.Tokens & Vector128.Create((1 << IdBits) - 1);
        count = slot.Tokens.ToScalar() >>> IdBits;
        return isFirst | slot.Key.IsSame(key);
    }

    /// <summary>Has the line fetched in which a piece of that hash would be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(ulong hash) => _lines.Prefetch((nint)(hash >> _shift));

    /// <summary>Keeps the tokens of a piece that was not found; false when only that there is more to it than fits.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="hash">The key's hash.</param>
    /// <param name="tokens">The first tokens, zeros behind them.</param>
    /// <param name="count">How many there are in all.</param>
    public bool Keep(in PieceKey key, ulong hash, Vector128<int> tokens, int count)
    {
        if (++_came > _lines.Count && _lines.Count < 1 << MostBits) Grow();
        var fits = count <= MaxTokens && (tokens & Vector128.Create(-1 << IdBits)) == Vector128<int>.Zero;
        Insert(new() { Key = key, Tokens = fits ? tokens | Vector128.CreateScalar(count << IdBits) : Vector128.CreateScalar(MaxTokens + 1 << IdBits) }, hash);
        return fits;
    }

    private void Insert(in Slot slot, ulong hash)
    {
        ref var line = ref _lines.At((nint)(hash >> _shift));
        line.Second = line.First;
        line.First = slot;
    }

    private void Grow()
    {
        var old = _lines;
        _lines = new(old.Count * 4);
        _shift -= 2;
        for (var i = 0; i < old.Count; i++)
        {
            ref readonly var line = ref old.At(i);
            if (!line.Second.Key.IsNone) Insert(line.Second, line.Second.Key.Hash());
            if (!line.First.Key.IsNone) Insert(line.First, line.First.Key.Hash());
        }
    }
}
