using System.Diagnostics.CodeAnalysis;

namespace ModelZoo.Plugins.TextTokenizers.Formats.Clip;

/// <summary>An encoding of one byte a character. Bytes are held as strings of characters up to U+00FF.</summary>
internal sealed class SingleByteEncoding
{
    private const char Undefined = '\uFFFD';

    private readonly char[] _characters = new char[256];
    private readonly Dictionary<char, char> _bytes = [];

    private SingleByteEncoding(string name, string upperHalf)
    {
        Name = name;
        IsSloppy = name.StartsWith("sloppy", StringComparison.Ordinal);
        for (var b = 0; b < 256; b++) _characters[b] = b < 128 ? (char)b : (char)Convert.ToInt32(upperHalf.Substring((b - 128) * 4, 4), 16);
        // A sloppy encoding takes the byte of SUBSTITUTE for what was lost before.
        if (IsSloppy) _characters[0x1A] = Undefined;
        for (var b = 255; b >= 0; b--)
        {
            if (_characters[b] != Undefined || IsSloppy) _bytes[_characters[b]] = (char)b;
        }
    }

    /// <summary>Those that text may have been decoded from wrongly, likeliest first.</summary>
    public static IReadOnlyList<SingleByteEncoding> Candidates { get; } =
    [
        .. new[] { "latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253", "sloppy-windows-1254", "sloppy-windows-1257", "iso-8859-2", "macroman", "cp437" }
            .Select(name => new SingleByteEncoding(name, MojibakeTables.Value(name))),
    ];

    /// <summary>Windows-1252 with holes.</summary>
    public static SingleByteEncoding Windows1252 { get; } = new("windows-1252", MojibakeTables.Value("windows-1252"));

    /// <summary>Windows-1252 with its holes filled by Latin-1.</summary>
    public static SingleByteEncoding SloppyWindows1252 => Candidates[1];

    public string Name { get; }

    public bool IsSloppy { get; }

    /// <summary>The text as bytes; false when a character is not in the encoding.</summary>
    public bool TryEncode(string text, [NotNullWhen(true)] out string? bytes)
    {
        var result = new char[text.Length];
        bytes = null;
        for (var i = 0; i < text.Length; i++)
        {
            if (!_bytes.TryGetValue(text[i], out result[i])) return false;
        }

        bytes = new(result);
        return true;
    }

    /// <summary>Bytes as text; undefined bytes become U+FFFD.</summary>
    public string Decode(string bytes) => string.Create(bytes.Length, bytes, (result, source) =>
    {
        for (var i = 0; i < source.Length; i++) result[i] = _characters[source[i]];
    });
}
