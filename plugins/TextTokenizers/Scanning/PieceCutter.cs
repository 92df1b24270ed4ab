using System.Numerics;
using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary>Cuts a text into pieces: by blocks where those tell, piece by piece where they do not.</summary>
internal static class PieceCutter
{
    /// <summary>Finds the next pieces, at least one.</summary>
    /// <param name="text">The text, with <see cref="CharacterBlock.Size"/> readable bytes behind it.</param>
    /// <param name="position">Where they start; then where they end.</param>
    /// <param name="ends">Room for where they end, for at least <see cref="CharacterBlock.Size"/>.</param>
    /// <returns>How many they are.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int Cut<TScanner>(ReadOnlySpan<byte> text, ref int position, Span<int> ends) where TScanner : IPieceScanner
    {
        var (start, count) = (position, 0);
        while (start < text.Length && count + CharacterBlock.Size <= ends.Length)
        {
            var block = new CharacterBlock(text, start);
            var starts = TScanner.Starts(ref block);
            if (starts == 0)
            {
                ends[count++] = start = TScanner.Next(text, start);
                continue;
            }

            var origin = start;
            for (; starts != 0; starts &= starts - 1) ends[count++] = start = origin + BitOperations.TrailingZeroCount(starts);
        }

        position = start;
        return count;
    }
}
