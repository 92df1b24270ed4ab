using System.Text;
using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>Reads the <c>model</c> of a tokenizer.json.</summary>
internal static class ModelReader
{
    public static TokenizerModel Read(JsonCursor model)
    {
        var type = model.Find("type");
        return (type.IsNull ? Guess(model) : type.Text()) switch
        {
            "BPE" => ReadBpe(model),
            "Unigram" => ReadUnigram(model),
            "WordPiece" => new WordPieceModel(
                ReadVocabulary(model["vocab"]),
                model["unk_token"].Text(),
                model["continuing_subword_prefix"].Text(),
                model["max_input_chars_per_word"].Integer()),
            "WordLevel" => new WordLevelModel(ReadVocabulary(model["vocab"]), model["unk_token"].Text()),
            var other => throw type.Error("A model of an unknown type.", "BPE, Unigram, WordPiece, WordLevel", other),
        };
    }

    // Old files do not name the type.
    private static string Guess(JsonCursor model) =>
        !model.Find("merges").IsNull ? "BPE" : model["vocab"].IsArray ? "Unigram" : !model.Find("continuing_subword_prefix").IsNull ? "WordPiece" : "WordLevel";

    public static TokenTable ReadVocabulary(JsonCursor vocabulary)
    {
        if (vocabulary.Element.ValueKind != JsonValueKind.Object) throw vocabulary.Wrong("an object of token to id");
        var table = new TokenTable(vocabulary.Element.GetRawText().Length / 16);
        foreach (var member in vocabulary.Element.EnumerateObject())
        {
            if (member.Value.ValueKind != JsonValueKind.Number || !member.Value.TryGetInt32(out var id) || id < 0)
            {
                throw new JsonCursor(member.Value, $"{vocabulary.Path}.{member.Name}").Wrong("an id from 0 to 2147483647");
            }

            table.Add(Encoding.UTF8.GetBytes(member.Name), id);
        }

        return table;
    }

    private static UnigramModel ReadUnigram(JsonCursor model)
    {
        var unknown = model.Find("unk_id");
        var tokens = model["vocab"].Items().Select(item =>
        {
            if (!item.IsArray || item.Element.GetArrayLength() != 2) throw item.Wrong("a token and its score");
            return (item.Element[0].GetString() ?? throw item.Wrong("a token and its score"), Score(new(item.Element[1], item.Path + "[1]")));
        }).ToArray();
        return model.Guard(() => new UnigramModel(tokens, unknown.IsNull ? null : unknown.Integer(), model.Find("byte_fallback").Flag(false)));
    }

    private static double Score(JsonCursor number) => number.Element.ValueKind == JsonValueKind.Number ? ReferenceNumber.Of(number.Element) : throw number.Wrong("a number");

    private static BpeModel ReadBpe(JsonCursor model)
    {
        var dropout = model.Find("dropout");
        var options = new BpeOptions
        {
            Dropout = dropout.IsNull ? null : dropout.Number(),
            UnknownToken = model.Find("unk_token").OptionalText(),
            ContinuingSubwordPrefix = model.Find("continuing_subword_prefix").OptionalText(),
            EndOfWordSuffix = model.Find("end_of_word_suffix").OptionalText(),
            FuseUnknown = model.Find("fuse_unk").Flag(false),
            ByteFallback = model.Find("byte_fallback").Flag(false),
            IgnoreMerges = model.Find("ignore_merges").Flag(false),
        };
        var vocabulary = ReadVocabulary(model["vocab"]);
        var merges = ReadMerges(model["merges"], vocabulary, Encoding.UTF8.GetByteCount(options.ContinuingSubwordPrefix ?? ""));
        return model.Guard(() => new BpeModel(vocabulary, merges, options));
    }

    private static MergeTable ReadMerges(JsonCursor merges, TokenTable vocabulary, int prefixLength)
    {
        if (!merges.IsArray) throw merges.Wrong("an array of merges");
        var result = new List<(int, int, int)>(merges.Element.GetArrayLength());
        var joined = new byte[Math.Max(1, vocabulary.LongestToken * 2)];
        var index = 0;
        foreach (var item in merges.Element.EnumerateArray())
        {
            var path = index++;
            string left, right;
            if (item.ValueKind == JsonValueKind.String)
            {
                var line = item.GetString()!;
                if (line.StartsWith("#version", StringComparison.Ordinal)) continue;
                var space = line.IndexOf(' ');
                if (space < 0 || line.IndexOf(' ', space + 1) >= 0) throw At(item, path).Wrong("two tokens with one space between them");
                (left, right) = (line[..space], line[(space + 1)..]);
            }
            else if (item.ValueKind == JsonValueKind.Array && item.GetArrayLength() == 2 && item[0].ValueKind == JsonValueKind.String && item[1].ValueKind == JsonValueKind.String)
            {
                (left, right) = (item[0].GetString()!, item[1].GetString()!);
            }
            else
            {
                throw At(item, path).Wrong("two tokens");
            }

            if (!MergeFiles.TryResolve(vocabulary, left, right, prefixLength, joined, out var merge, out var missing))
            {
                throw At(item, path).Error("A merge names a token that is not in the vocabulary.", "a token of the vocabulary", missing);
            }

            result.Add(merge);
        }

        return new(result);

        JsonCursor At(JsonElement item, int i) => new(item, $"{merges.Path}[{i}]");
    }
}
