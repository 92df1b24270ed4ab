using System.Text;
using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Decoders;

/// <summary>Reads characters of <see cref="ByteAlphabet"/> as bytes; tokens with others as they are. Invalid UTF-8 becomes one U+FFFD for each maximal bad part.</summary>
public sealed class ByteLevelDecoder(bool addPrefixSpace = true, bool trimOffsets = true, bool useRegex = true) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Decode(List<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (var token in tokens)
        {
            var utf8 = Encoding.UTF8.GetBytes(token);
            if (!ByteAlphabet.TryDecode(utf8, bytes)) bytes.AddRange(utf8);
        }

        return [Encoding.UTF8.GetString([.. bytes])];
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", addPrefixSpace);
        writer.WriteBoolean("trim_offsets", trimOffsets);
        writer.WriteBoolean("use_regex", useRegex);
    }
}

/// <summary>Reads runs of tokens such as <c>&lt;0x0A&gt;</c> as UTF-8; one U+FFFD for each byte of a run that is not valid.</summary>
public sealed class ByteFallbackDecoder : TokenDecoder
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <inheritdoc/>
    public override List<string> Decode(List<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        var bytes = new List<byte>();
        foreach (var token in tokens)
        {
            if (ByteTokens.ValueOf(token) is >= 0 and var value)
            {
                bytes.Add((byte)value);
                continue;
            }

            Flush(bytes, result);
            result.Add(token);
        }

        Flush(bytes, result);
        return result;
    }

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", "ByteFallback");

    private static void Flush(List<byte> bytes, List<string> result)
    {
        if (bytes.Count == 0) return;
        var run = bytes.ToArray();
        bytes.Clear();
        if (System.Text.Unicode.Utf8.IsValid(run)) result.Add(Strict.GetString(run));
        else result.AddRange(Enumerable.Repeat("\uFFFD", run.Length));
    }
}
