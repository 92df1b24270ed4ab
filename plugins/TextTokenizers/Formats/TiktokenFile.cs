using System.Buffers.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>tiktoken's rank files: a line for each token, its bytes in base64 and its rank.</summary>
public static class TiktokenFile
{
    /// <summary>Reads a rank file.</summary>
    /// <exception cref="CheckpointException">It is missing or a line of it cannot be read.</exception>
    public static TokenTable Load(string path)
    {
        try
        {
            return Parse(File.ReadAllBytes(path), path);
        }
        catch (IOException error)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMissing, "The rank file cannot be read.", error) { Where = path };
        }
    }

    /// <summary>Reads the bytes of a rank file.</summary>
    /// <exception cref="CheckpointException">A line of it cannot be read.</exception>
    public static TokenTable Parse(ReadOnlySpan<byte> file, string name = "rank file")
    {
        var table = new TokenTable(file.Length / 16);
        Span<byte> token = stackalloc byte[512];
        for (var number = 1; !file.IsEmpty; number++)
        {
            var end = file.IndexOf((byte)'\n');
            var line = (end < 0 ? file : file[..end]).TrimEnd((byte)'\r');
            file = end < 0 ? default : file[(end + 1)..];
            if (line.IsEmpty) continue;
            var space = line.IndexOf((byte)' ');
            if (space < 0 || !Utf8Parser.TryParse(line[(space + 1)..], out int rank, out var used) || used != line.Length - space - 1 || rank < 0) throw Malformed(name, number);
            if (Base64.GetMaxDecodedFromUtf8Length(space) > token.Length) token = new byte[space];
            if (Base64.DecodeFromUtf8(line[..space], token, out _, out var length) != System.Buffers.OperationStatus.Done) throw Malformed(name, number);
            table.Add(token[..length], rank);
        }

        return table;
    }

    /// <summary>Reads a <c>config.json</c> beside a rank file: name, pattern, special tokens.</summary>
    /// <exception cref="CheckpointException">It cannot be read.</exception>
    public static (string Name, string Pattern, Dictionary<string, int> SpecialTokens, int? VocabularySize) LoadConfig(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = new JsonCursor(document.RootElement, "$");
            var size = root.Find("explicit_n_vocab");
            var special = root.Find("special_tokens") is { IsNull: false } members ? members.Members().ToDictionary(member => member.Name, member => member.Value.Integer(), StringComparer.Ordinal) : [];
            return (root.Find("name").OptionalText() ?? "", root["pat_str"].Text(), special, size.IsNull ? null : size.Integer());
        }
        catch (Exception error) when (error is IOException or JsonException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMissing, $"The encoding's settings cannot be read: {error.Message}", error) { Where = path };
        }
    }

    private static CheckpointException Malformed(string name, int line) =>
        new(ErrorCodes.CheckpointMalformed, "A line of a rank file cannot be read.") { Where = $"{name}:{line}", Expected = "base64, a space, a rank" };
}
