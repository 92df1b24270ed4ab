using System.Collections.Concurrent;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The tokenizer.json files of a checkpoint folder, each opened when it is first asked for.</summary>
internal sealed class TokenizerSet(ModelSource source)
{
    private readonly ConcurrentDictionary<string, PipelineTokenizer> _open = new();

    /// <summary>The tokenizer of a file.</summary>
    public PipelineTokenizer this[string file] => _open.GetOrAdd(file, static (name, folder) => TokenizerJson.Load(folder.PathOf(name)), source);
}

/// <summary>Encoding as the papers count: no special tokens, no truncation, places in code points.</summary>
internal static class PlainEncoding
{
    private static readonly EncodeOptions Options = new() { AddSpecialTokens = false, NoTruncation = true, NoPadding = true, Offsets = OffsetUnit.CodePoint };

    /// <summary>The tokens of a text.</summary>
    public static TokenEncoding EncodePlain(this PipelineTokenizer tokenizer, string text) => tokenizer.Encode(text, options: Options);
}
