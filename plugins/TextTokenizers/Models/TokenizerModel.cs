using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Turns a piece of text into tokens of its vocabulary. Immutable once made; used from any number of threads.</summary>
public abstract class TokenizerModel
{
    /// <summary>The vocabulary.</summary>
    public abstract TokenTable Vocabulary { get; }

    /// <summary>The tokens of a piece, appended to <paramref name="output"/>.</summary>
    internal abstract void Tokenize(ReadOnlySpan<byte> piece, List<PieceToken> output);

    /// <summary>Writes the component as tokenizer.json has it.</summary>
    internal abstract void Write(Utf8JsonWriter writer);

    /// <summary>Writes token to id, in order of id.</summary>
    private protected void WriteVocabulary(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("vocab");
        foreach (var id in Vocabulary.Ids) writer.WriteNumber(Vocabulary.BytesOf(id), id);
        writer.WriteEndObject();
    }
}
