using System.Text;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>
/// A text that comes byte by byte. What it shows never changes later: bytes of a character are held back until all of it is there, and so are characters that may begin a stop. Bytes that are no UTF-8 become U+FFFD.
/// </summary>
/// <param name="stops">Texts that end it and are no part of it; empty ones never do.</param>
internal sealed class GrowingText(IReadOnlyList<string> stops)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly StringBuilder _shown = new();
    private string _held = "";

    /// <summary>True when a stop was met: nothing is taken any more.</summary>
    public bool HasStopped { get; private set; }

    /// <summary>The text so far.</summary>
    public string Shown => _shown.ToString();

    /// <summary>Takes a byte.</summary>
    public void Append(byte value) => Take([value], isLast: false);

    /// <summary>No more bytes come: what was held back is shown.</summary>
    public void Finish()
    {
        Take([], isLast: true);
        if (HasStopped) return;
        _shown.Append(_held);
        _held = "";
    }

    private void Take(ReadOnlySpan<byte> bytes, bool isLast)
    {
        if (HasStopped) return;
        Span<char> characters = stackalloc char[8];
        _held += new string(characters[.._decoder.GetChars(bytes, characters, isLast)]);
        var first = stops.Where(stop => stop.Length > 0).Select(stop => _held.IndexOf(stop, StringComparison.Ordinal)).Where(place => place >= 0).DefaultIfEmpty(-1).Min();
        HasStopped = first >= 0;
        var safe = HasStopped ? first : _held.Length - Beginning();
        _shown.Append(_held, 0, safe);
        _held = HasStopped ? "" : _held[safe..];
    }

    // Characters at the end that may be the beginning of a stop.
    private int Beginning()
    {
        var longest = 0;
        foreach (var stop in stops)
        {
            for (var length = Math.Min(stop.Length - 1, _held.Length); length > longest; length--)
            {
                if (_held.EndsWith(stop[..length], StringComparison.Ordinal)) longest = length;
            }
        }

        return longest;
    }
}
