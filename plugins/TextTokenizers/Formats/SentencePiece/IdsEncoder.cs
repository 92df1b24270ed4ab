using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>
/// The ids of a text, and nothing else: word by word where no piece reaches across words, and what was met before from a cache. The reference adds up the scores of a unigram model over the whole text in single
/// precision, so that its rounding depends on all that is before a word. A word's ids are kept with their lead over any other segmentation, and taken only where rounding cannot have eaten it up.
/// </summary>
internal sealed class IdsEncoder(SentencePieceVocabulary vocabulary, SentencePieceNormalizer normalizer, Segmenter segmenter)
{
    private const float HalfStep = 1.0f / (1 << 24); // the relative rounding of single precision

    private readonly UnigramSegmenter? _unigram = segmenter as UnigramSegmenter;
    private readonly WordJoint _joint = segmenter is UnigramSegmenter || (segmenter is BpeSegmenter && !vocabulary.HasUnused) ? vocabulary.Joint : WordJoint.None;
    private readonly float _largestGain = vocabulary.LargestGain;
    private readonly float[] _gains = Gains(vocabulary);
    private readonly bool _hasBytes = vocabulary.File.ByteFallback;
    private readonly Pool<Scratch> _scratches = new();

    /// <summary>What one thread needs.</summary>
    private sealed class Scratch
    {
        public readonly NormalizedText Text = new();
        public readonly List<Segment> Segments = [];
        public readonly WordCache Cache = new();
    }

    /// <summary>What the text so far leaves to the next word.</summary>
    private struct State
    {
        public float Score;
        public bool AfterUnknown;
    }

    /// <summary>Appends the ids of UTF-8.</summary>
    public void Encode(ReadOnlySpan<byte> utf8, IdBuffer output)
    {
        var scratch = _scratches.Rent();
        normalizer.Normalize(utf8, scratch.Text);
        var text = scratch.Text.Bytes;
        for (var state = new State(); !text.IsEmpty;)
        {
            var word = text[..WordLength(text)];
            if (word.Length > WordCache.MaxLength) EncodeNew(word, scratch.Segments, ref state, output);
            else EncodeShort(word, scratch, ref state, output);
            text = text[word.Length..];
        }

        scratch.Text.Dispose();
        _scratches.Return(scratch);
    }

    private int WordLength(ReadOnlySpan<byte> text)
    {
        if (_joint == WordJoint.None) return text.Length;
        var length = _joint == WordJoint.BeforeSpaces ? Spaces(text) : 0;
        var next = text[length..].IndexOf(SentencePieceVocabulary.Space);
        if (next < 0) return text.Length;
        length += next;
        return _joint == WordJoint.BeforeSpaces ? length : length + Spaces(text[length..]);
    }

    private static int Spaces(ReadOnlySpan<byte> text)
    {
        var length = 0;
        while (text[length..].StartsWith(SentencePieceVocabulary.Space)) length += SentencePieceVocabulary.Space.Length;
        return length;
    }

    private void EncodeShort(ReadOnlySpan<byte> word, Scratch scratch, ref State state, IdBuffer output)
    {
        var count = output.Count;
        if (scratch.Cache.TryGet(word, 0, out var hash, output))
        {
            // Behind the ids stands their lead.
            var lead = BitConverter.Int32BitsToSingle(output.Span[^1]);
            output.Truncate(output.Count - 1);
            if (TryTake(output.Span[count..], word.Length, lead, ref state)) return;
            output.Truncate(count);
        }

        var slack = Slack(state.Score, word.Length);
        var ownLead = EncodeNew(word, scratch.Segments, ref state, output) - slack;
        if (output.Count - count >= WordCache.MaxIds || !(ownLead > 0)) return;
        output.Add(BitConverter.SingleToInt32Bits(ownLead));
        scratch.Cache.Keep(word, 0, hash, output.Span[count..]);
        output.Truncate(output.Count - 1);
    }

    private bool TryTake(ReadOnlySpan<int> ids, int length, float lead, ref State state)
    {
        if (!(lead > Slack(state.Score, length))) return false;
        state.AfterUnknown = false;
        for (var i = 0; i < ids.Length && _unigram is not null; i++) state.Score += _gains[ids[i]];
        return true;
    }

    // How far rounding can move two segmentations of a word of so many bytes apart: each is off by half a step for every piece, and there are no more pieces than bytes.
    private float Slack(float score, int length) => _unigram is null ? 0 : 2 * length * HalfStep * (Math.Abs(score) + length * _largestGain);

    // What each id adds to the score. Of an unknown character that becomes bytes, the first one does.
    private static float[] Gains(SentencePieceVocabulary vocabulary)
    {
        var gains = new float[vocabulary.Count];
        for (var id = 0; id < gains.Length; id++) gains[id] = vocabulary.GainOf(id);
        for (var value = 0; vocabulary.File.ByteFallback && value < 256; value++) gains[vocabulary.ByteId((byte)value)] = (value & 0xC0) == 0x80 ? 0 : vocabulary.UnknownScore;
        return gains;
    }

    // Gives the lead of the segmentation: none where there is an unknown piece, which is one with those beside it.
    private float EncodeNew(ReadOnlySpan<byte> text, List<Segment> segments, ref State state, IdBuffer output)
    {
        segments.Clear();
        var lead = float.PositiveInfinity;
        if (_unigram is not null) state.Score = _unigram.Cut(text, state.Score, segments, out lead);
        else segmenter.Cut(text, segments);
        foreach (var (start, end, id) in segments)
        {
            var isUnknown = id == vocabulary.UnknownId;
            if (isUnknown && _hasBytes)
            {
                foreach (var value in text[start..end]) output.Add(vocabulary.ByteId(value));
                continue;
            }

            if (!(isUnknown && state.AfterUnknown)) output.Add(id);
            state.AfterUnknown = isUnknown;
            if (isUnknown) lead = 0;
        }

        return lead;
    }
}
