using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>Merges by name to merges by id.</summary>
internal static class MergeFiles
{
    /// <summary>Finds the ids of a merge's two tokens and of what they make together, the continuing prefix of the second left out.</summary>
    /// <param name="buffer">Room for two tokens.</param>
    public static bool TryResolve(TokenTable vocabulary, string left, string right, int prefixLength, Span<byte> buffer, out (int Left, int Right, int NewId) merge, out string missing)
    {
        merge = default;
        missing = left;
        if (Encoding.UTF8.GetByteCount(left) + Encoding.UTF8.GetByteCount(right) > buffer.Length)
        {
            missing = left + right;
            return false;
        }

        var length = Encoding.UTF8.GetBytes(left, buffer);
        if (!vocabulary.TryGet(buffer[..length], out var leftId)) return false;
        var second = buffer[length..];
        var secondLength = Encoding.UTF8.GetBytes(right, second);
        missing = right;
        if (!vocabulary.TryGet(second[..secondLength], out var rightId) || secondLength < prefixLength) return false;
        second[prefixLength..secondLength].CopyTo(second);
        missing = Encoding.UTF8.GetString(buffer[..(length + secondLength - prefixLength)]);
        if (!vocabulary.TryGet(buffer[..(length + secondLength - prefixLength)], out var newId)) return false;
        merge = (leftId, rightId, newId);
        return true;
    }
}
