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
        var stop = StopTexts.Find(stops, _held);
        HasStopped = stop is not null;
        var safe = stop ?? _held.Length - StopTexts.Beginning(stops, _held);
        _shown.Append(_held, 0, safe);
        _held = HasStopped ? "" : _held[safe..];
    }
}
