using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.PreTokenizers;

/// <summary>Cuts a text into the pieces that the model tokenizes one by one.</summary>
public abstract class PreTokenizer
{
    internal abstract void Apply(PieceList pieces);

    /// <summary>Whether a normalized text is cut at that space wherever it stands, so that what is before it and what is after it do not touch.</summary>
    internal virtual bool CutsAt(string space) => false;

    /// <summary>Writes the component as tokenizer.json has it.</summary>
    internal abstract void Write(Utf8JsonWriter writer);

    /// <summary>The pieces of a whole text, with their ranges in it in code points.</summary>
    public IReadOnlyList<(string Text, int Start, int End)> PreTokenize(string text)
    {
        var pieces = new PieceList(System.Text.Encoding.UTF8.GetBytes(text));
        Apply(pieces);
        var offsets = new OffsetMap(pieces.Original, OffsetUnit.CodePoint);
        return [.. pieces.Pieces.Select(piece =>
        {
            var (start, end) = piece.Text.Length == 0 ? (piece.Text.OriginalStart, piece.Text.OriginalStart) : piece.Text.ToOriginal(0, piece.Text.Length);
            (start, end) = offsets.Convert(start, end);
            return (piece.Text.ToString(), start, end);
        })];
    }
}

/// <summary>One pre-tokenizer after the other.</summary>
public sealed class SequencePreTokenizer(IReadOnlyList<PreTokenizer> items) : PreTokenizer
{
    /// <summary>The pre-tokenizers in order.</summary>
    public IReadOnlyList<PreTokenizer> Items => items;

    internal override bool CutsAt(string space) => items.Count > 0 && items[0].CutsAt(space);

    internal override void Apply(PieceList pieces)
    {
        foreach (var item in items) item.Apply(pieces);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("pretokenizers");
        foreach (var item in items)
        {
            writer.WriteStartObject();
            item.Write(writer);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
