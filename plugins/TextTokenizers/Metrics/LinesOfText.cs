using System.Runtime.CompilerServices;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Metrics;

/// <summary>A file with a text on each line: JSON (.jsonl) with <c>text</c>, and <c>label</c> or <c>gold</c> (a list of morphemes) where there are any; or words with morphemes (.tsv), the word, a tab, its morphemes with blanks between.</summary>
internal sealed class LinesOfText : IDatasetReader
{
    public string Name => "lines-of-text";

    public Modality Gives => Modality.Text;

    public bool CanRead(string path) => File.Exists(path) && Path.GetExtension(path).ToLowerInvariant() is ".jsonl" or ".tsv";

    public int? Count(string path) => null;

    public async IAsyncEnumerable<Example> ReadAsync(string path, IMediaReader media, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var isJson = Path.GetExtension(path).Equals(".jsonl", StringComparison.OrdinalIgnoreCase);
        var number = 0;
        await foreach (var line in File.ReadLinesAsync(path, cancel).ConfigureAwait(false))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            var place = $"{Path.GetFileName(path)}:{number}";
            var example = isJson ? OfJson(line, place) : OfTable(line, place);
            yield return example with { Id = place };
        }
    }

    private static Example OfJson(string line, string place)
    {
        try
        {
            var json = JsonElement.Parse(line);
            string[]? gold = json.Find("gold") is null ? null : json.Texts("gold");
            var text = (json.Find("text") ?? json.Find("word"))?.GetString() ?? throw new JsonException("'text' is missing");
            return new(place, new Text(text)) { Target = gold is null ? null : new Text(string.Join(' ', gold)), Label = json.Find("label")?.GetString() };
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new ModelZooException(ErrorCodes.DatasetInvalid, $"The line cannot be read: {error.Message}", error) { Where = place, Expected = "{\"text\": \"...\", \"label\": \"...\", \"gold\": [\"...\"]}" };
        }
    }

    private static Example OfTable(string line, string place) => line.Split('\t') is [var word, var morphemes] && morphemes.Replace(" ", "", StringComparison.Ordinal) == word
        ? new(place, new Text(word)) { Target = new Text(morphemes) }
        : throw new ModelZooException(ErrorCodes.DatasetInvalid, "The line is not a word and its morphemes.") { Where = place, Expected = "word, tab, morphemes with blanks between that join to the word", Found = line.Length > 100 ? line[..100] : line };
}
