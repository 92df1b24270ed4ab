using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.PostProcessors;

/// <summary>A piece of a template: one of the texts, or special tokens.</summary>
/// <param name="Sequence">0 or 1 for a text; null for special tokens.</param>
/// <param name="Name">Name of the special tokens.</param>
/// <param name="TypeId">Type id of the tokens.</param>
public sealed record TemplatePiece(int? Sequence, string? Name, int TypeId);

/// <summary>What a name in a template stands for.</summary>
/// <param name="Name">The name.</param>
/// <param name="Ids">The ids.</param>
/// <param name="Tokens">The tokens, one for each id.</param>
public sealed record TemplateToken(string Name, IReadOnlyList<int> Ids, IReadOnlyList<string> Tokens);

/// <summary>Arranges texts and special tokens as templates say.</summary>
public sealed class TemplatePostProcessor : PostProcessor
{
    private readonly IReadOnlyList<TemplatePiece> _single;
    private readonly IReadOnlyList<TemplatePiece> _pair;
    private readonly Dictionary<string, TemplateToken> _tokens;

    /// <summary>Templates for one text and for two.</summary>
    public TemplatePostProcessor(IReadOnlyList<TemplatePiece> single, IReadOnlyList<TemplatePiece> pair, IEnumerable<TemplateToken> tokens)
    {
        (_single, _pair) = (single, pair);
        _tokens = tokens.ToDictionary(token => token.Name, StringComparer.Ordinal);
    }

    /// <summary>Tokens around one text, each left out where it is null; null when there are none. It has no template for two.</summary>
    internal static TemplatePostProcessor? Around((string Token, int Id)? before, (string Token, int Id)? after)
    {
        var single = new List<TemplatePiece> { new(0, null, 0) };
        var tokens = new List<TemplateToken>();
        if (before is { } first) single.Insert(0, Special(first));
        if (after is { } last) single.Add(Special(last));
        return tokens.Count == 0 ? null : new(single, [], tokens.DistinctBy(token => token.Name));

        TemplatePiece Special((string Token, int Id) token)
        {
            tokens.Add(new(token.Token, [token.Id], [token.Token]));
            return new(null, token.Token, 0);
        }
    }

    /// <inheritdoc/>
    public override int AddedTokens(bool pair) => (pair ? _pair : _single).Sum(piece => piece.Name is { } name && _tokens.TryGetValue(name, out var token) ? token.Ids.Count : 0);

    internal override List<TokenEncoding> Apply(List<TokenEncoding> encodings, bool addSpecialTokens)
    {
        var template = encodings.Count switch
        {
            1 => _single,
            2 => _pair,
            _ => throw Broken("A template takes one text or two; another template stands before it."),
        };
        var result = new List<TokenEncoding>();
        foreach (var piece in template)
        {
            if (piece.Sequence is { } sequence)
            {
                if (sequence >= encodings.Count) throw Broken("The template for one text names a second.");
                var encoding = encodings[sequence];
                encoding.SetTypeIds(piece.TypeId);
                encoding.SetSequence(sequence);
                result.Add(encoding.Clone());
            }
            else if (addSpecialTokens)
            {
                var token = _tokens.TryGetValue(piece.Name!, out var found) ? found : throw Broken($"The template's special token {piece.Name} is not defined.");
                var encoding = new TokenEncoding();
                for (var i = 0; i < token.Ids.Count; i++) encoding.Add(token.Ids[i], token.Tokens[i], (0, 0), null, piece.TypeId, special: true);
                result.Add(encoding);
            }
        }

        return result;
    }

    private static CheckpointException Broken(string what) => new(ErrorCodes.CheckpointMalformed, what) { Where = "post_processor" };

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "TemplateProcessing");
        Write(writer, "single", _single);
        Write(writer, "pair", _pair);
        writer.WriteStartObject("special_tokens");
        foreach (var token in _tokens.Values.OrderBy(token => token.Name, StringComparer.Ordinal))
        {
            writer.WriteStartObject(token.Name);
            writer.WriteString("id", token.Name);
            writer.WriteStartArray("ids");
            foreach (var id in token.Ids) writer.WriteNumberValue(id);
            writer.WriteEndArray();
            writer.WriteStartArray("tokens");
            foreach (var text in token.Tokens) writer.WriteStringValue(text);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, string name, IReadOnlyList<TemplatePiece> template)
    {
        writer.WriteStartArray(name);
        foreach (var piece in template)
        {
            writer.WriteStartObject();
            writer.WriteStartObject(piece.Sequence is null ? "SpecialToken" : "Sequence");
            writer.WriteString("id", piece.Sequence switch { 0 => "A", 1 => "B", _ => piece.Name });
            writer.WriteNumber("type_id", piece.TypeId);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
