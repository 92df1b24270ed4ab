using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>The items of a data set with their semantic tokens: <c>NAME.index.json</c> ({"item": ["&lt;a_1&gt;", ...]}) and the <c>vocab.json</c> that numbers the tokens.</summary>
internal sealed class ItemIndex
{
    private readonly Dictionary<string, int[]> _tokens = [];
    private readonly List<string> _names = [];

    private ItemIndex(string indexFile, string vocabularyFile)
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
        Trie = new(Tensor.Create([.. _names.SelectMany(name => _tokens[name]).Select(token => (long)token)], _names.Count, levels[0]));
    }

    /// <summary>The items as a prefix tree.</summary>
    public ItemTrie Trie { get; }

    /// <summary>Number of items.</summary>
    public int Count => _names.Count;

    /// <summary>The index of a folder; null when it has none.</summary>
    public static ItemIndex? Find(string folder) =>
        Directory.EnumerateFiles(folder, "*.index.json").Order(StringComparer.Ordinal).FirstOrDefault() is { } file && File.Exists(Path.Combine(folder, "vocab.json")) ? new(file, Path.Combine(folder, "vocab.json")) : null;

    /// <summary>The tokens of items, one after the other.</summary>
    /// <exception cref="MediaException">An item is not in the index.</exception>
    public IEnumerable<int> Tokens(IEnumerable<string> items) => items.SelectMany(item => _tokens.TryGetValue(item, out var tokens) ? tokens
        : throw new MediaException(ErrorCodes.MediaUnsupported, "The history has an item that the index does not.") { Where = item, Expected = $"one of {Count} items" });

    /// <summary>The item that stands for all that have the same tokens; the item itself when it is not in the index.</summary>
    public string Canonical(string item) => _tokens.TryGetValue(item, out var tokens) ? Name(Trie.Find(tokens)) : item;

    /// <summary>An item's name in the data set.</summary>
    public string Name(int item) => item < 0 ? "" : _names[item];

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
