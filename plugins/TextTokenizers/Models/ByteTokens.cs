using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Tokens such as <c>&lt;0x0A&gt;</c>, which stand for single bytes.</summary>
internal static class ByteTokens
{
    /// <summary>The spelling of a byte's token.</summary>
    public static string NameOf(byte value) => $"<0x{value:X2}>";

    /// <summary>The byte of a token's spelling, in either case; -1 when it is none.</summary>
    public static int ValueOf(ReadOnlySpan<char> token) =>
        token.Length == 6 && token.StartsWith("<0x") && token[5] == '>' && byte.TryParse(token.Slice(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var value) ? value : -1;

    /// <summary>Appends a token for each byte, all with the same range; false when one is missing.</summary>
    public static bool TryAppend(TokenTable vocabulary, ReadOnlySpan<byte> bytes, int start, int end, List<PieceToken> output)
    {
        var count = output.Count;
        foreach (var b in bytes)
        {
            if (!vocabulary.TryGet(NameOf(b), out var id))
            {
                output.RemoveRange(count, output.Count - count);
                return false;
            }

            output.Add(new(id, start, end));
        }

        return true;
    }
}
