using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Normalizers;

/// <summary>Changes a text before it is cut: case, accents, white space, Unicode form.</summary>
public abstract class Normalizer
{
    internal abstract AlignedText Apply(AlignedText text);

    /// <summary>Whether spaces between letters part a text into stretches that are normalized one by one, each by what <see cref="At"/> gives for its place.</summary>
    internal virtual bool IsWordwise => false;

    /// <summary>What this normalizer is for a stretch of a longer text; null for nothing.</summary>
    internal virtual Normalizer? At(bool start, bool end) => this;

    /// <summary>Writes the component as tokenizer.json has it.</summary>
    internal abstract void Write(Utf8JsonWriter writer);

    /// <summary>What the normalizer makes of a whole text.</summary>
    public string Normalize(string text) => Apply(AlignedText.Of(System.Text.Encoding.UTF8.GetBytes(text))).ToString();
}

/// <summary>One normalizer after the other.</summary>
public sealed class SequenceNormalizer(IReadOnlyList<Normalizer> items) : Normalizer
{
    /// <summary>The normalizers in order.</summary>
    public IReadOnlyList<Normalizer> Items => items;

    internal override bool IsWordwise => items.All(item => item.IsWordwise);

    internal override Normalizer? At(bool start, bool end)
    {
        Normalizer[] there = [.. items.Select(item => item.At(start, end)).OfType<Normalizer>()];
        return there.SequenceEqual(items) ? this : new SequenceNormalizer(there);
    }

    internal override AlignedText Apply(AlignedText text)
    {
        foreach (var item in items) text = item.Apply(text);
        return text;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("normalizers");
        foreach (var item in items)
        {
            writer.WriteStartObject();
            item.Write(writer);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
