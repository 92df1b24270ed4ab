using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Decoders;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.PostProcessors;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>A folder of published files: <c>tokenizer.json</c>, or GPT-2's <c>vocab.json</c> + <c>merges.txt</c>, or BERT's <c>vocab.txt</c>; with <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c> where they are there.</summary>
public static class TokenizerFolder
{
    private static readonly string[] Roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary>Opens a folder.</summary>
    /// <exception cref="CheckpointException">It has none of the files, or one breaks its format.</exception>
    public static PipelineTokenizer Open(string folder)
    {
        string At(string file) => Path.Combine(folder, file);
        if (File.Exists(At("tokenizer.json"))) return TokenizerJson.Load(At("tokenizer.json"));
        using var config = ReadConfig(At("tokenizer_config.json"));
        if (File.Exists(At("vocab.json")) && File.Exists(At("merges.txt"))) return LoadGpt2(At("vocab.json"), At("merges.txt"), SpecialTokens(folder), Flag(config, "add_prefix_space", false));
        if (File.Exists(At("vocab.txt"))) return LoadBert(At("vocab.txt"), SpecialTokens(folder), Flag(config, "do_lower_case", true));
        throw new CheckpointException(ErrorCodes.CheckpointMissing, "The folder holds no tokenizer that is known.") { Where = folder, Expected = "tokenizer.json, or vocab.json + merges.txt, or vocab.txt" };
    }

    /// <summary>The special tokens by role (<c>bos_token</c>, <c>eos_token</c>...), as <c>special_tokens_map.json</c> and <c>tokenizer_config.json</c> name them.</summary>
    /// <exception cref="CheckpointException">One of the files is not JSON.</exception>
    public static IReadOnlyDictionary<string, string> SpecialTokens(string folder)
    {
        var result = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in (ReadOnlySpan<string>)["tokenizer_config.json", "special_tokens_map.json"])
        {
            using var document = ReadConfig(Path.Combine(folder, file));
            if (document is null) continue;
            foreach (var role in Roles)
            {
                if (!document.RootElement.TryGetProperty(role, out var token)) continue;
                if (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out var content)) token = content;
                if (token.ValueKind == JsonValueKind.String) result[role] = token.GetString()!;
            }
        }

        return result;
    }

    /// <summary>GPT-2's files: token to id, and a merge a line.</summary>
    /// <exception cref="CheckpointException">One of them breaks its format.</exception>
    public static PipelineTokenizer LoadGpt2(string vocabulary, string merges, IReadOnlyDictionary<string, string>? specialTokens = null, bool addPrefixSpace = false)
    {
        var table = ReadVocabulary(vocabulary);
        var resolved = new List<(int, int, int)>();
        var buffer = new byte[Math.Max(1, table.LongestToken * 2)];
        var number = 0;
        foreach (var line in File.ReadLines(merges))
        {
            number++;
            if (line.Length == 0 || line.StartsWith("#version", StringComparison.Ordinal)) continue;
            var parts = line.Split(' ');
            if (parts.Length != 2 || !MergeFiles.TryResolve(table, parts[0], parts[1], 0, buffer, out var merge, out _))
            {
                throw new CheckpointException(ErrorCodes.CheckpointMalformed, "A line of the merges cannot be read.") { Where = $"{merges}:{number}", Expected = "two tokens of the vocabulary", Found = line };
            }

            resolved.Add(merge);
        }

        var special = specialTokens is { Count: > 0 } ? specialTokens.Values.Distinct() : table.TryGet("<|endoftext|>", out _) ? ["<|endoftext|>"] : [];
        return new(new BpeModel(table, new(resolved), new()), Special(special))
        {
            PreTokenizer = new ByteLevelPreTokenizer(addPrefixSpace, trimOffsets: true, useRegex: true),
            PostProcessor = new ByteLevelPostProcessor(addPrefixSpace: true, trimOffsets: false, useRegex: true),
            Decoder = new ByteLevelDecoder(),
        };
    }

    /// <summary>BERT's file: a token a line, the line number its id.</summary>
    /// <exception cref="CheckpointException">The tokens around a text are not in it.</exception>
    public static PipelineTokenizer LoadBert(string vocabulary, IReadOnlyDictionary<string, string>? specialTokens = null, bool lowercase = true)
    {
        string[] lines = [.. File.ReadLines(vocabulary)];
        var table = new TokenTable(lines.Length);
        for (var id = 0; id < lines.Length; id++) table.Add(Encoding.UTF8.GetBytes(lines[id].TrimEnd()), id);
        var (start, end, unknown) = (Role("cls_token", "[CLS]"), Role("sep_token", "[SEP]"), Role("unk_token", "[UNK]"));
        var special = new[] { unknown, end, Role("pad_token", "[PAD]"), start, Role("mask_token", "[MASK]") }.Where(token => table.TryGet(token, out _));
        return new(new WordPieceModel(table, unknown), Special(special), new BertNormalizer(cleanText: true, handleChineseChars: true, stripAccents: null, lowercase))
        {
            PreTokenizer = new BertPreTokenizer(),
            PostProcessor = new BertPostProcessor((end, Id(end)), (start, Id(start))),
            Decoder = new WordPieceDecoder("##", cleanup: true),
        };

        string Role(string role, string otherwise) => specialTokens is not null && specialTokens.TryGetValue(role, out var token) ? token : otherwise;

        int Id(string token) => table.TryGet(token, out var id) ? id : throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The vocabulary lacks a token that stands around a text.") { Where = vocabulary, Expected = token };
    }

    private static AddedToken[] Special(IEnumerable<string> tokens) => [.. tokens.Select(token => new AddedToken(token) { Special = true, Normalized = false })];

    private static TokenTable ReadVocabulary(string path)
    {
        using var document = ReadConfig(path) ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The vocabulary is missing.") { Where = path };
        return ModelReader.ReadVocabulary(new(document.RootElement, "$"));
    }

    private static JsonDocument? ReadConfig(string path)
    {
        if (!File.Exists(path)) return null;
        try
        {
            return JsonDocument.Parse(File.ReadAllBytes(path));
        }
        catch (JsonException error)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, $"The file is not JSON: {error.Message}", error) { Where = path };
        }
    }

    private static bool Flag(JsonDocument? config, string name, bool otherwise) =>
        config is not null && config.RootElement.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : otherwise;
}
