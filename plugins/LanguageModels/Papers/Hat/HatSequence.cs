using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>
/// A text that grows. The last word stays open: what comes may go on with it, end it, or, when a character of several bytes has become whole, turn out to have begun another word before; then the decoder goes back to where the open word
/// began, so that the result is always that of the whole text computed anew.
/// </summary>
internal sealed class HatSequence(HatNetworks networks, HatSplitter splitter) : ITokenModel
{
    // Ids that are taken at once: longer prompts are read in stretches, whose attention stays small.
    private const int Stretch = 512;

    private int[] _open = [];
    private Tensor<float> _openStates = Tensor.Zeros<float>(1, 0, 1), _before = networks.FirstWord;
    private long _firstByte, _firstWord;
    private IReadOnlyDictionary<string, Tensor> _encoder = networks.Encoder.Begin(1), _backbone = networks.Backbone.Begin(1), _atWord = networks.Decoder.Begin(1), _decoder = networks.Decoder.Begin(1);

    /// <summary>Bytes of each word that has ended.</summary>
    public List<int> Ended { get; } = [];

    /// <summary>Bytes of the open word.</summary>
    public int Open => _open.Length;

    /// <inheritdoc/>
    public async ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel)
    {
        if (tokens.Shape[0] != 1) throw new ArgumentException("One text at a time.", nameof(tokens));
        var last = Tensor.Zeros<float>(1, 0);
        foreach (var part in tokens.Span.ToArray().Chunk(Stretch))
        {
            var logits = await TakeAsync(part, cancel).ConfigureAwait(false);
            last = Tensor.Create(logits.Slice((int)logits.Shape[0] - 1).Span.ToArray(), 1, logits.Shape[1]);
        }

        return last;
    }

    /// <inheritdoc/>
    public void Reorder(ReadOnlySpan<int> parents)
    {
        // There is one text.
    }

    /// <summary>Takes bytes and special tokens; gives the logits after each of them, (ids, V), and after bytes before them that turned out to be of another word.</summary>
    public async Task<Tensor<float>> TakeAsync(int[] ids, CancellationToken cancel)
    {
        var (encoded, encoder) = await networks.Encoder.RunAsync(_encoder, cancel, ("input_ids", Tensor.Create([.. ids.Select(id => (long)id)], 1, ids.Length))).ConfigureAwait(false);
        var states = _open.Length == 0 ? encoded["hidden_states"] : Joined(_openStates, encoded["hidden_states"]);
        int[] all = [.. _open, .. ids];
        var words = splitter.Encode(all);
        int[] lengths = [.. words.SkipLast(1).Select(word => word.Length)];
        var ended = lengths.Sum();

        // What the decoder sees of each word's past: what it saw of the open one's, and the backbone after each that has ended.
        var (past, backbone) = (_before, _backbone);
        if (lengths.Length > 0)
        {
            var embedded = await networks.ConnectAsync(states, lengths, _firstByte, _firstWord, cancel).ConfigureAwait(false);
            (var outputs, backbone) = await networks.Backbone.RunAsync(_backbone, cancel, ("hidden_states", embedded)).ConfigureAwait(false);
            past = Joined(_before, outputs["words"]);
        }

        var isOther = lengths.Length > 0 && lengths[0] < _open.Length;
        var (from, decoder) = isOther ? (0, _atWord) : (_open.Length, _decoder);
        var wordOf = Tensor.Create([.. words.SelectMany((word, i) => Enumerable.Repeat((long)i, word.Length))], 1, all.Length);
        var atWord = lengths.Length == 0 ? _atWord : decoder;
        var logits = new List<Tensor<float>>();
        foreach (var (start, end) in ((int, int)[])[(from, Math.Max(from, ended)), (Math.Max(from, ended), all.Length)])
        {
            if (start == end) continue;
            (var outputs, decoder) = await networks.Decoder.RunAsync(decoder, cancel, ("hidden_states", Part(states, start, end)), ("words", past), ("word_of", Part(wordOf, start, end))).ConfigureAwait(false);
            logits.Add(outputs["logits"]);
            if (end == ended) atWord = decoder;
        }

        (_encoder, _backbone, _decoder, _atWord) = (encoder, backbone, decoder, atWord);
        (_open, _openStates, _before) = (words[^1], Part(states, ended, all.Length), Part(past, lengths.Length, lengths.Length + 1));
        (_firstByte, _firstWord) = (_firstByte + ended, _firstWord + lengths.Length);
        Ended.AddRange(lengths);
        var given = logits.Aggregate(Joined);
        return given.Reshape(given.Shape[1], given.Shape[2]);
    }

    // Places of a sequence, (1, N, ..).
    private static Tensor<T> Part<T>(Tensor<T> x, int start, int end) where T : unmanaged
    {
        var size = x.Length / (int)x.Shape[1];
        return Tensor.Create(x.Span[(start * size)..(end * size)].ToArray(), [1, end - start, .. x.Shape[2..]]);
    }

    private static Tensor<float> Joined(Tensor<float> first, Tensor<float> second) => Tensor.Create<float>([.. first.Span, .. second.Span], 1, first.Shape[1] + second.Shape[1], first.Shape[2]);
}
