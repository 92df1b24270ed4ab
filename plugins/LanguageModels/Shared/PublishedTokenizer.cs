using System.Security.Cryptography;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The tokenizer beside a model's weights, which the plugin that has text tokenizers opens (<see cref="ICompanions"/>).</summary>
internal sealed class PublishedTokenizer
{
    private static readonly (string File, ModelId Architecture)[] Layouts =
    [
        ("tokenizer.json", ModelId.Parse("text-tokenizers/tokenizer-json")),
        ("tokenizer.model", ModelId.Parse("text-tokenizers/sentencepiece")),
    ];

    private readonly ITokenize _tokenizer;
    private readonly TokenSpace _space;
    private readonly ModelOptions _encoding, _decoding;

    private PublishedTokenizer(ITokenize tokenizer, TokenSpace space)
    {
        (_tokenizer, _space) = (tokenizer, space);
        _encoding = tokenizer.TokenizeOptions.Bind([new("add_special_tokens", "true")]);
        _decoding = tokenizer.TokenizeOptions.Bind([new("skip_special_tokens", "true")]);
    }

    private static (string File, ModelId Architecture)? Find(string folder) => Array.Find(Layouts, layout => File.Exists(Path.Combine(folder, layout.File))) is { File: not null } layout ? layout : null;

    /// <summary>Opens the tokenizer of a model's folder.</summary>
    /// <exception cref="ModelZooException">There is none, no plugin reads it, or it cannot be opened.</exception>
    public static async Task<PublishedTokenizer> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var architecture = Find(folder)?.Architecture
            ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The model reads and writes ids; its tokenizer is not there.") { Where = folder, Expected = string.Join(" or ", Layouts.Select(layout => layout.File)), Remedy = "Put the published tokenizer beside the weights." };
        var tokenizer = (await source.Service<ICompanions>().OpenAsync(architecture, folder, cancel).ConfigureAwait(false)).Get<ITokenize>();
        return new(tokenizer, tokenizer.Space ?? throw new ModelZooException(ErrorCodes.TokensForeign, $"{architecture} gives no bare ids.") { Where = folder });
    }

    /// <summary>What a model says of itself that reads and writes by the tokenizer of its folder: its digest, or that it is not there.</summary>
    public static ModelFacts Describe(ModelFacts facts, string folder) => Find(folder) is not { File: var file }
        ? facts with { Lacks = $"Its tokenizer is not there: put the published {string.Join(" or ", Layouts.Select(layout => layout.File))} beside the weights." }
        : facts with
        {
            Digests = async cancel =>
            {
                var stream = File.OpenRead(Path.Combine(folder, file));
                await using var _ = stream.ConfigureAwait(false);
                return new Dictionary<string, string>(await facts.Digests(cancel).ConfigureAwait(false)) { [file] = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancel).ConfigureAwait(false)) };
            },
        };

    /// <summary>The ids of a text, with those that the model wants around it.</summary>
    public async Task<int[]> EncodeAsync(string text, CancellationToken cancel) => (await _tokenizer.TokenizeAsync(new Text(text), _encoding, cancel).ConfigureAwait(false)).Ids.Span.ToArray();

    /// <summary>The text of ids, special ones left out, and those that a table padded to a round number has beyond the tokenizer's.</summary>
    public async Task<string> DecodeAsync(int[] ids, CancellationToken cancel)
    {
        var known = Array.FindAll(ids, id => id < _space.VocabularySizes[0]);
        return ((Text)await _tokenizer.DetokenizeAsync(new(_space, Tensor.Create(known, known.Length)), _decoding, cancel).ConfigureAwait(false)).Value;
    }
}
