using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.PostProcessors;

/// <summary>BERT's: <c>[CLS] A [SEP] B [SEP]</c>.</summary>
public sealed class BertPostProcessor((string Token, int Id) separator, (string Token, int Id) start) : PostProcessor
{
    /// <inheritdoc/>
    public override int AddedTokens(bool pair) => pair ? 3 : 2;

    internal override List<TokenEncoding> Apply(List<TokenEncoding> encodings, bool addSpecialTokens) => !addSpecialTokens
        ? encodings
        : [.. encodings.Select((encoding, i) => i == 0 ? Surrounding.With(encoding, start, separator, 0, 0) : Surrounding.With(encoding, null, separator, 1, 1))];

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "BertProcessing");
        Surrounding.Write(writer, "sep", separator);
        Surrounding.Write(writer, "cls", start);
    }
}

/// <summary>RoBERTa's: <c>&lt;s&gt; A &lt;/s&gt; &lt;/s&gt; B &lt;/s&gt;</c>, all of type 0.</summary>
public sealed class RobertaPostProcessor((string Token, int Id) separator, (string Token, int Id) start, bool trimOffsets, bool addPrefixSpace) : PostProcessor
{
    /// <inheritdoc/>
    public override int AddedTokens(bool pair) => pair ? 4 : 2;

    internal override List<TokenEncoding> Apply(List<TokenEncoding> encodings, bool addSpecialTokens)
    {
        foreach (var encoding in encodings)
        {
            if (trimOffsets) OffsetTrimming.Trim(encoding, addPrefixSpace);
            encoding.SetTypeIds(0);
        }

        return addSpecialTokens ? [.. encodings.Select((encoding, i) => Surrounding.With(encoding, i == 0 ? start : separator, separator, i == 0 ? 0 : 1, 0, resetTypes: i > 0))] : encodings;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "RobertaProcessing");
        Surrounding.Write(writer, "sep", separator);
        Surrounding.Write(writer, "cls", start);
        writer.WriteBoolean("trim_offsets", trimOffsets);
        writer.WriteBoolean("add_prefix_space", addPrefixSpace);
    }
}

/// <summary>Puts a token in front of an encoding and one behind it.</summary>
internal static class Surrounding
{
    /// <summary>The encoding, and each of its windows, between two tokens of a type; the text between them is sequence <paramref name="sequence"/>.</summary>
    public static TokenEncoding With(TokenEncoding encoding, (string Token, int Id)? before, (string Token, int Id) after, int sequence, int type, bool resetTypes = false)
    {
        var result = new TokenEncoding();
        if (before is { } first) result.Add(first.Id, first.Token, (0, 0), null, type, special: true);
        var start = result.Count;
        for (var i = 0; i < encoding.Count; i++)
        {
            result.Add(encoding.Ids[i], encoding.Tokens[i], encoding.Offsets[i], encoding.WordIds[i], resetTypes ? 0 : encoding.TypeIds[i]);
        }

        result.Add(after.Id, after.Token, (0, 0), null, type, special: true);
        result.SetSequence(sequence, start, result.Count - 1);
        result.Overflow.AddRange(encoding.Overflow.Select(window => With(window, before, after, sequence, type, resetTypes)));
        return result;
    }

    public static void Write(Utf8JsonWriter writer, string name, (string Token, int Id) token)
    {
        writer.WriteStartArray(name);
        writer.WriteStringValue(token.Token);
        writer.WriteNumberValue(token.Id);
        writer.WriteEndArray();
    }
}
