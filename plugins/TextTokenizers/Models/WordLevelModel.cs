using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Whole words, or the unknown token.</summary>
public sealed class WordLevelModel(TokenTable vocabulary, string unknownToken) : TokenizerModel
{
    /// <inheritdoc/>
    public override TokenTable Vocabulary => vocabulary;

    internal override void Tokenize(ReadOnlySpan<byte> piece, List<PieceToken> output)
    {
        if (!vocabulary.TryGet(piece, out var id) && !vocabulary.TryGet(unknownToken, out id))
        {
            throw new MediaException(ErrorCodes.MediaUnsupported, "A word is not in the vocabulary, and there is no unknown token.")
            { Expected = unknownToken, Found = System.Text.Encoding.UTF8.GetString(piece) };
        }

        output.Add(new(id, 0, piece.Length));
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "WordLevel");
        WriteVocabulary(writer);
        writer.WriteString("unk_token", unknownToken);
    }
}
