using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Reads the small files that papers publish beside or in place of a tokenizer.json.</summary>
internal static class Published
{
    /// <summary>A JSON file, as an element that outlives its document.</summary>
    /// <exception cref="CheckpointException">The file is missing or not JSON.</exception>
    public static JsonElement Json(this ModelSource source, string file)
    {
        var path = source.PathOf(file);
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.Clone();
        }
        catch (JsonException error)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The file is not JSON.", error) { Where = path };
        }
    }

    /// <summary>The lines of a UTF-8 file, cut at LF alone; a last empty line does not count.</summary>
    public static string[] Lines(this ModelSource source, string file)
    {
        var lines = File.ReadAllText(source.PathOf(file)).Split('\n');
        return lines.Length > 0 && lines[^1].Length == 0 ? lines[..^1] : lines;
    }

    /// <summary>A vocabulary with an entry of hexadecimal bytes on each line; the line number is the id.</summary>
    public static byte[][] HexVocabulary(this ModelSource source, string file)
    {
        try
        {
            return [.. source.Lines(file).Select(line => Convert.FromHexString(line.Trim()))];
        }
        catch (FormatException error)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, "A vocabulary entry is not hexadecimal.", error) { Where = source.PathOf(file) };
        }
    }

    /// <summary>The path of a published file.</summary>
    /// <exception cref="CheckpointException">It is not there.</exception>
    public static string PathOf(this ModelSource source, string file)
    {
        var path = Path.Combine(source.RequireFolder(), file);
        return File.Exists(path) ? path : throw new CheckpointException(ErrorCodes.CheckpointMissing, $"{source.Id} needs the file {file}.") { Where = path };
    }

    /// <summary>SHA-256 of the entries of a vocabulary, in lower-case hex.</summary>
    public static string Digest(IEnumerable<string> entries)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var entry in entries)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(entry));
            hash.AppendData("\n"u8);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
