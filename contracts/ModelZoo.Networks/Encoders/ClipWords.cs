using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Encoders;

/// <summary>
/// CLIP's byte-pair words for captions: a published <c>tokenizer.json</c>, or <c>vocab.json</c> with <c>merges.txt</c>. Text is composed (NFC), lower-cased and its white space made single; the repairs of broken encodings that the whole tokenizer does are left out.
/// </summary>
public sealed partial class ClipWords
{
    /// <summary>The token that ends a text.</summary>
    public const string End = "<|endoftext|>";

    private const string WordEnd = "</w>", Start = "<|startoftext|>";
    private static readonly string[] ByteSymbols = MakeByteSymbols();

    private readonly Dictionary<string, int> _vocabulary;
    private readonly Dictionary<(string, string), int> _ranks;

    private ClipWords(Dictionary<string, int> vocabulary, IEnumerable<(string, string)> merges)
    {
        _vocabulary = vocabulary;
        _ranks = merges.Select((pair, rank) => (pair, rank)).ToDictionary(entry => entry.pair, entry => entry.rank);
    }

    /// <summary>Reads the tokenizer of a folder.</summary>
    /// <exception cref="CheckpointException">It is not there, or malformed.</exception>
    public static ClipWords Open(string folder)
    {
        var path = Path.Combine(folder, "tokenizer.json");
        try
        {
            if (File.Exists(path)) return FromTokenizer(File.ReadAllBytes(path));
            path = Path.Combine(folder, "vocab.json");
            var vocabulary = JsonSerializer.Deserialize<Dictionary<string, int>>(File.ReadAllBytes(path))!;
            path = Path.Combine(folder, "merges.txt");
            return new(vocabulary, File.ReadAllText(path).Split('\n').Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal)).Select(Pair));
        }
        catch (Exception e) when (e is IOException or JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMissing, "The text encoder's tokenizer cannot be read.", e) { Where = path, Expected = "tokenizer.json, or vocab.json and merges.txt", Found = e.Message };
        }
    }

    /// <summary>Start, the words, end; cut to <paramref name="length"/> with the end kept, or filled with <paramref name="padding"/>.</summary>
    public long[] Encode(string text, int length, long padding)
    {
        List<long> ids = [_vocabulary[Start], .. Encode(text)];
        if (ids.Count > length - 1) ids.RemoveRange(length - 1, ids.Count - (length - 1));
        ids.Add(_vocabulary[End]);
        while (ids.Count < length) ids.Add(padding);
        return [.. ids];
    }

    /// <summary>The id of a token of the vocabulary; null where there is none.</summary>
    public long? Find(string token) => _vocabulary.TryGetValue(token, out var id) ? id : null;

    /// <summary>The ids of the words alone, without start and end.</summary>
    public IReadOnlyList<long> Encode(string text) => [.. Words().Matches(Clean(text)).SelectMany(word => Merge(word.Value))];

    // The pair with the lowest rank is merged, until there is none.
    private IEnumerable<long> Merge(string word)
    {
        List<string> pieces = [.. Encoding.UTF8.GetBytes(word).Select(value => ByteSymbols[value])];
        pieces[^1] += WordEnd;
        while (pieces.Count > 1)
        {
            var best = pieces.Zip(pieces.Skip(1)).Where(_ranks.ContainsKey).DefaultIfEmpty().MinBy(pair => pair.First is null ? int.MaxValue : _ranks[pair]);
            if (best.First is null) break;
            for (var i = 0; i < pieces.Count - 1; i++)
            {
                if (pieces[i] != best.First || pieces[i + 1] != best.Second) continue;
                pieces[i] += pieces[i + 1];
                pieces.RemoveAt(i + 1);
            }
        }

        return pieces.Select(piece => (long)_vocabulary.GetValueOrDefault(piece, _vocabulary[End]));
    }

    private static string Clean(string text) => Spaces().Replace(text.Normalize(NormalizationForm.FormC), " ").ToLowerInvariant();

    private static ClipWords FromTokenizer(byte[] json)
    {
        using var document = JsonDocument.Parse(json);
        var model = document.RootElement.GetProperty("model");
        var vocabulary = model.GetProperty("vocab").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32());
        return new(vocabulary, model.GetProperty("merges").EnumerateArray().Select(merge => merge.ValueKind == JsonValueKind.Array ? (merge[0].GetString()!, merge[1].GetString()!) : Pair(merge.GetString()!)).ToArray());
    }

    private static (string, string) Pair(string line) => line.TrimEnd('\r').Split(' ') is [var left, var right] ? (left, right) : throw new JsonException($"'{line}' is no merge of two pieces.");

    // Bytes that print stand for themselves, the others for characters from U+0100 on.
    private static string[] MakeByteSymbols()
    {
        var next = 256;
        return [.. Enumerable.Range(0, 256).Select(value => (value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)value : (char)next++).ToString(CultureInfo.InvariantCulture))];
    }

    [GeneratedRegex(@"\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Spaces();

    [GeneratedRegex(@"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+", RegexOptions.CultureInvariant)]
    private static partial Regex Words();
}
