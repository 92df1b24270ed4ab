using ModelZoo.Contracts;

namespace ModelZoo.Host.Serving.Http;

/// <summary>Media types of HTTP and the file extensions that stand for them in the rest of the host.</summary>
internal static class MediaTypes
{
    public const string Json = "application/json";
    public const string Safetensors = "application/vnd.safetensors";

    private static readonly (string Type, string Extension)[] Table =
    [
        ("audio/wav", ".wav"), ("audio/x-wav", ".wav"), ("audio/wave", ".wav"), ("audio/vnd.wave", ".wav"), ("audio/mpeg", ".mp3"), ("audio/flac", ".flac"), ("audio/ogg", ".ogg"), ("audio/opus", ".opus"), ("audio/mp4", ".m4a"), ("audio/webm", ".webm"), ("audio/midi", ".mid"), ("audio/x-midi", ".mid"),
        ("image/png", ".png"), ("image/jpeg", ".jpg"), ("image/webp", ".webp"), ("image/bmp", ".bmp"), ("image/gif", ".gif"),
        ("video/mp4", ".mp4"), ("video/webm", ".webm"), ("video/quicktime", ".mov"),
        ("text/plain", ".txt"), ("model/obj", ".obj"), ("application/x-npy", ".npy"), (Safetensors, ".safetensors"), (Json, ".json"),
    ];

    /// <summary>The extension of a media type, parameters left aside; null when it is not media that the host reads.</summary>
    public static string? Extension(string? type)
    {
        var plain = type.AsSpan();
        if (plain.IndexOf(';') is >= 0 and var end) plain = plain[..end];
        foreach (var (known, extension) in Table)
        {
            if (plain.Trim().Equals(known, StringComparison.OrdinalIgnoreCase)) return extension;
        }

        return null;
    }

    /// <summary>The media type of a file by its extension; null when it is not media that the host reads.</summary>
    public static string? OfFile(string name) => Table.FirstOrDefault(row => row.Extension == Path.GetExtension(name).ToLowerInvariant()).Type;

    /// <summary>The media type in which a kind of media is sent.</summary>
    public static string Of(Modality modality) => OfFile(Media.MediaFiles.Extension(modality))!;

    /// <summary>What an answer may be sent as: the first media type of <paramref name="accept"/> that is among <paramref name="offered"/>; the first offered when anything is taken; null when nothing fits.</summary>
    public static string? Choose(string? accept, params ReadOnlySpan<string> offered)
    {
        if (string.IsNullOrWhiteSpace(accept)) return offered[0];
        var wanted = accept.Split(',').Select(Wanted).Where(type => type.Quality > 0).OrderByDescending(type => type.Quality).Select(type => type.Range);
        foreach (var range in wanted)
        {
            foreach (var type in offered)
            {
                if (range == "*/*" || range.Equals(type, StringComparison.OrdinalIgnoreCase) || (range.EndsWith("/*", StringComparison.Ordinal) && type.StartsWith(range[..^1], StringComparison.OrdinalIgnoreCase))) return type;
            }
        }

        return null;
    }

    private static (string Range, double Quality) Wanted(string part)
    {
        var pieces = part.Split(';', StringSplitOptions.TrimEntries);
        var quality = pieces.Skip(1).FirstOrDefault(piece => piece.StartsWith("q=", StringComparison.OrdinalIgnoreCase));
        return (pieces[0], quality is not null && double.TryParse(quality.AsSpan(2), System.Globalization.CultureInfo.InvariantCulture, out var value) ? value : 1);
    }
}
