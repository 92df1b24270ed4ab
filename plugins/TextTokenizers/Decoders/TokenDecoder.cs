using System.Text.Json;

namespace ModelZoo.Plugins.TextTokenizers.Decoders;

/// <summary>Turns tokens back into text: a list of strings into a list of strings, which are joined at the end.</summary>
public abstract class TokenDecoder
{
    /// <summary>One step of decoding.</summary>
    public abstract List<string> Decode(List<string> tokens);

    /// <summary>Writes the component as tokenizer.json has it.</summary>
    internal abstract void Write(Utf8JsonWriter writer);
}

/// <summary>One decoder after the other.</summary>
public sealed class SequenceDecoder(IReadOnlyList<TokenDecoder> items) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Decode(List<string> tokens)
    {
        foreach (var item in items) tokens = item.Decode(tokens);
        return tokens;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("decoders");
        foreach (var item in items)
        {
            writer.WriteStartObject();
            item.Write(writer);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
