using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>The items of a data set with their semantic tokens: <c>NAME.index.json</c> ({"item": ["&lt;a_1&gt;", ...]}) and the <c>vocab.json</c> or <c>added_tokens.json</c> that numbers the tokens.</summary>
internal sealed class ItemIndex
{
    private readonly Dictionary<string, int[]> _tokens = [];
    private readonly List<string> _names = [];

    private ItemIndex(string indexFile, string vocabularyFile, int end)
    {
        var vocabulary = Read<Dictionary<string, int>>(vocabularyFile);
        foreach (var (item, tokens) in Read<Dictionary<string, string[]>>(indexFile))
        {
            _tokens[item] = [.. tokens.Select(token => vocabulary.TryGetValue(token, out var id) ? id
                : throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The item index has a token that the vocabulary does not.") { Where = $"{indexFile}: item {item}", Found = token })];
            _names.Add(item);
        }

        var levels = _tokens.Values.Select(tokens => tokens.Length).Distinct().ToArray();
        if (levels.Length != 1) throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The items have different numbers of tokens.") { Where = indexFile, Found = string.Join(", ", levels) };
        Levels = levels[0];
        Sequences = [.. _names.Select(name => _tokens[name])];
        Trie = new(Sequences, end);
    }

    /// <summary>Tokens of each item, in the order of the file.</summary>
    public IReadOnlyList<int[]> Sequences { get; }

    /// <summary>The items as a prefix tree, each followed by the end token.</summary>
    public TokenTrie Trie { get; }

    /// <summary>Tokens of an item.</summary>
    public int Levels { get; }

    /// <summary>Number of items.</summary>
    public int Count => _names.Count;

    /// <summary>The index of a folder; null when it has none.</summary>
    /// <param name="folder">The published files.</param>
    /// <param name="end">The end token.</param>
    public static ItemIndex? Find(string folder, int end)
    {
        var vocabulary = new[] { "vocab.json", "added_tokens.json" }.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        return Directory.EnumerateFiles(folder, "*.index.json").Order(StringComparer.Ordinal).FirstOrDefault(file => !file.EndsWith(".safetensors.index.json", StringComparison.Ordinal)) is { } file && vocabulary is not null
            ? new(file, vocabulary, end) : null;
    }

    /// <summary>The tokens of an item.</summary>
    /// <exception cref="MediaException">It is not in the index.</exception>
    public IReadOnlyList<int> Tokens(string item) => _tokens.TryGetValue(item, out var tokens) ? tokens
        : throw new MediaException(ErrorCodes.MediaUnsupported, "The history has an item that the index does not.") { Where = item, Expected = $"one of {Count} items" };

    /// <summary>The item that stands for all that have the same tokens; the item itself when it is not in the index.</summary>
    public string Canonical(string item) => _tokens.TryGetValue(item, out var tokens) ? Name(tokens)! : item;

    /// <summary>The name of the item that has these tokens; null when none has.</summary>
    public string? Name(IReadOnlyList<int> tokens) => Trie.Find(tokens) is >= 0 and var number ? _names[number] : null;

    private static T Read<T>(string file)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllBytes(file)) ?? throw new JsonException("null");
        }
        catch (JsonException error)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The file cannot be read.", error) { Where = file };
        }
    }
}
