using System.Collections.Concurrent;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Hosting;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The tokenizer.json files of a checkpoint folder, each opened when it is first asked for.</summary>
internal sealed class TokenizerSet(ModelSource source)
{
    private readonly ConcurrentDictionary<string, PipelineTokenizer> _open = new();
    private readonly ConcurrentDictionary<string, TextTokenizerModel> _verbs = new();

    /// <summary>The folder.</summary>
    public string Folder => source.RequireFolder();

    /// <summary>The files that are tokenizers, in order of their names; those of the root alone.</summary>
    public IReadOnlyList<string> Files => [.. Directory.EnumerateFiles(Folder, "*.json").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal).Where(IsTokenizer)];

    /// <summary>The tokenizer of a file.</summary>
    public PipelineTokenizer this[string file] => _open.GetOrAdd(file, static (name, folder) => TokenizerJson.Load(folder.PathOf(name)), source);

    /// <summary>The verbs of a file's tokenizer.</summary>
    public TextTokenizerModel Verbs(string file) => _verbs.GetOrAdd(file, name => new(source, this[name]));

    private bool IsTokenizer(string file) => source.Json(file) is { ValueKind: JsonValueKind.Object } json && json.Find("model") is { ValueKind: JsonValueKind.Object } model && model.Find("vocab") is not null;
}

/// <summary>Encoding as the papers count: no special tokens, no truncation, places in code points.</summary>
internal static class PlainEncoding
{
    private static readonly EncodeOptions Options = new() { AddSpecialTokens = false, NoTruncation = true, NoPadding = true, Offsets = OffsetUnit.CodePoint };

    /// <summary>The tokens of a text.</summary>
    public static TokenEncoding EncodePlain(this PipelineTokenizer tokenizer, string text) => tokenizer.Encode(text, options: Options);
}
