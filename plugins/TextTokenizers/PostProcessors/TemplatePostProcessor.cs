using System.Text.Json;
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

    /// <inheritdoc/>
    public override int AddedTokens(bool pair) => (pair ? _pair : _single).Sum(piece => piece.Name is { } name && _tokens.TryGetValue(name, out var token) ? token.Ids.Count : 0);

    internal override List<TokenEncoding> Apply(List<TokenEncoding> encodings, bool addSpecialTokens)
    {
        var template = encodings.Count switch
        {
            1 => _single,
            2 => _pair,
            _ => throw new ArgumentException("A template takes one text or two; another template stands before it."),
        };
        var result = new List<TokenEncoding>();
        foreach (var piece in template)
        {
            if (piece.Sequence is { } sequence)
            {
                if (sequence >= encodings.Count) throw new ArgumentException("The template for one text names a second.");
                var encoding = encodings[sequence];
                encoding.SetTypeIds(piece.TypeId);
                encoding.SetSequence(sequence);
                result.Add(encoding.Clone());
            }
            else if (addSpecialTokens)
            {
                var token = _tokens.TryGetValue(piece.Name!, out var found) ? found : throw new ArgumentException($"The template's special token {piece.Name} is not defined.");
                var encoding = new TokenEncoding();
                for (var i = 0; i < token.Ids.Count; i++) encoding.Add(token.Ids[i], token.Tokens[i], (0, 0), null, piece.TypeId, special: true);
                result.Add(encoding);
            }
        }

        return result;
    }

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
