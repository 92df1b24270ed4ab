using System.Buffers;
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Kudo's unigram model: the segmentation with the greatest sum of log-probabilities, found by Viterbi. Runs of unknown characters are one unknown token, or bytes.</summary>
public sealed class UnigramModel : TokenizerModel
{
    private const double UnknownPenalty = 10;

    private readonly DoubleArrayTrie _trie;
    private readonly double[] _scores;
    private readonly string[] _tokens;
    private readonly double _unknownScore;

    /// <summary>A model of tokens with their log-probabilities; the place in the list is the id.</summary>
    /// <exception cref="FormatException">The unknown id is not in the list.</exception>
    public UnigramModel(IReadOnlyList<(string Token, double Score)> tokens, int? unknownId, bool byteFallback)
    {
        if (unknownId is { } id && (uint)id >= (uint)tokens.Count) throw new FormatException($"the unknown id {id} is not below the vocabulary's size {tokens.Count}");
        (UnknownId, ByteFallback) = (unknownId, byteFallback);
        Vocabulary = new TokenTable(tokens.Count);
        _scores = [.. tokens.Select(token => token.Score)];
        _tokens = [.. tokens.Select(token => token.Token)];
        var keys = Array.ConvertAll(_tokens, Encoding.UTF8.GetBytes);
        for (var i = 0; i < keys.Length; i++) Vocabulary.Add(keys[i], i);
        // A token that is there twice has the id that the vocabulary gives it.
        _trie = new(keys.Select((key, i) => (key, i)).Where(item => item.key.Length > 0 && Vocabulary.TryGet(item.key, out var own) && own == item.i));

        _unknownScore = (_scores.Length == 0 ? double.PositiveInfinity : _scores.Min()) - UnknownPenalty;
    }

    /// <inheritdoc/>
    public override TokenTable Vocabulary { get; }

    /// <summary>The id of what is not in the vocabulary.</summary>
    public int? UnknownId { get; }

    /// <summary>Whether unknown characters become the tokens of their bytes, where all of them are there.</summary>
    public bool ByteFallback { get; }

    /// <summary>The log-probabilities by id.</summary>
    public ReadOnlySpan<double> Scores => _scores;

    internal override void Tokenize(ReadOnlySpan<byte> piece, List<PieceToken> output)
    {
        if (piece.IsEmpty) return;
        var best = ArrayPool<(double Score, int Start, int Id)>.Shared.Rent(piece.Length + 1);
        var cuts = ArrayPool<int>.Shared.Rent(piece.Length + 1);
        try
        {
            Viterbi(piece, best);
            var count = 0;
            for (var end = piece.Length; end > 0; end = best[end].Start) cuts[count++] = end;
            for (var (i, start) = (count - 1, 0); i >= 0; i--)
            {
                var end = cuts[i];
                if (best[end].Id == UnknownId)
                {
                    while (i > 0 && best[cuts[i - 1]].Id == UnknownId) end = cuts[--i];
                    EmitUnknown(piece, start, end, output);
                }
                else
                {
                    output.Add(new(best[end].Id, start, end));
                }

                start = end;
            }
        }
        finally
        {
            ArrayPool<(double, int, int)>.Shared.Return(best);
            ArrayPool<int>.Shared.Return(cuts);
        }
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Unigram");
        if (UnknownId is { } id) writer.WriteNumber("unk_id", id);
        else writer.WriteNull("unk_id");
        writer.WriteStartArray("vocab");
        for (var i = 0; i < _scores.Length; i++)
        {
            writer.WriteStartArray();
            writer.WriteStringValue(_tokens[i]);
            writer.WriteNumberValue(_scores[i]);
            writer.WriteEndArray();
        }

        writer.WriteEndArray();
        writer.WriteBoolean("byte_fallback", ByteFallback);
    }

    // best[p]: the best segmentation of the first p bytes, by its last token.
    private void Viterbi(ReadOnlySpan<byte> piece, (double Score, int Start, int Id)[] best)
    {
        for (var i = 1; i <= piece.Length; i++) best[i].Start = -1;
        best[0] = (0, 0, -1);
        for (var start = 0; start < piece.Length;)
        {
            var length = CodePoints.Utf8Length(piece[start]);
            var here = best[start].Score;
            var single = false;
            var node = DoubleArrayTrie.Root;
            for (var end = start; end < piece.Length;)
            {
                node = _trie.Child(node, piece[end++]);
                if (node == 0) break;
                var id = _trie.Value(node);
                if (id < 0) continue;
                var score = _scores[id] + here;
                if (best[end].Start < 0 || score > best[end].Score) best[end] = (score, start, id);
                single |= end - start == length;
            }

            if (!single)
            {
                var score = _unknownScore + here;
                ref var target = ref best[start + length];
                if (target.Start < 0 || score > target.Score) target = (score, start, UnknownId ?? throw MissingUnknown(piece));
            }

            start += length;
        }
    }

    private void EmitUnknown(ReadOnlySpan<byte> piece, int start, int end, List<PieceToken> output)
    {
        var surface = piece[start..end];
        if (Vocabulary.TryGet(surface, out var id))
        {
            output.Add(new(id, start, end));
            return;
        }

        if (ByteFallback && ByteTokens.TryAppend(Vocabulary, surface, start, end, output)) return;
        output.Add(new(UnknownId ?? throw MissingUnknown(piece), start, end, Encoding.UTF8.GetString(surface)));
    }

    private static MediaException MissingUnknown(ReadOnlySpan<byte> piece) => new(ErrorCodes.MediaUnsupported, "A character is not in the vocabulary, and there is no unknown token.")
    { Found = Encoding.UTF8.GetString(piece) };
}
