using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>BERT's: the longest token that starts the word, then the longest continuation, to the end; the unknown token where that fails.</summary>
public sealed class WordPieceModel : TokenizerModel
{
    private readonly ByteTrie _starts = new();
    private readonly ByteTrie _continuations = new();

    /// <summary>A model over <paramref name="vocabulary"/>, in which continuations start with <paramref name="continuingPrefix"/>.</summary>
    public WordPieceModel(TokenTable vocabulary, string unknownToken = "[UNK]", string continuingPrefix = "##", int maxInputCharsPerWord = 100)
    {
        (Vocabulary, UnknownToken, ContinuingPrefix, MaxInputCharsPerWord) = (vocabulary, unknownToken, continuingPrefix, maxInputCharsPerWord);
        var prefix = Encoding.UTF8.GetBytes(continuingPrefix);
        foreach (var id in vocabulary.Ids)
        {
            var token = vocabulary.BytesOf(id);
            // Several spellings may have one id; the table tells which token has this one.
            if (!vocabulary.TryGet(token, out var own) || own != id) continue;
            _starts.Add(token, id);
            if (token.StartsWith(prefix)) _continuations.Add(token[prefix.Length..], id);
        }
    }

    /// <inheritdoc/>
    public override TokenTable Vocabulary { get; }

    /// <summary>Stands for words that cannot be cut.</summary>
    public string UnknownToken { get; }

    /// <summary>In front of tokens that continue a word.</summary>
    public string ContinuingPrefix { get; }

    /// <summary>Longer words are unknown.</summary>
    public int MaxInputCharsPerWord { get; }

    internal override void Tokenize(ReadOnlySpan<byte> piece, List<PieceToken> output)
    {
        var count = output.Count;
        if (CountCharacters(piece) <= MaxInputCharsPerWord)
        {
            var start = 0;
            while (start < piece.Length)
            {
                var length = (start == 0 ? _starts : _continuations).Longest(piece[start..], out var id);
                if (length <= 0) break;
                output.Add(new(id, start, start + length));
                start += length;
            }

            if (start == piece.Length) return;
        }

        output.RemoveRange(count, output.Count - count);
        if (!Vocabulary.TryGet(UnknownToken, out var unknown))
        {
            throw new MediaException(ErrorCodes.MediaUnsupported, "A word is not in the vocabulary, and there is no unknown token.")
            { Expected = UnknownToken, Found = Encoding.UTF8.GetString(piece) };
        }

        output.Add(new(unknown, 0, piece.Length));
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "WordPiece");
        writer.WriteString("unk_token", UnknownToken);
        writer.WriteString("continuing_subword_prefix", ContinuingPrefix);
        writer.WriteNumber("max_input_chars_per_word", MaxInputCharsPerWord);
        WriteVocabulary(writer);
    }

    private static int CountCharacters(ReadOnlySpan<byte> piece)
    {
        var count = 0;
        for (var i = 0; i < piece.Length; i += CodePoints.Utf8Length(piece[i])) count++;
        return count;
    }
}
