using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>A text that is written word by word: the main layers run once for each word, from the pasts of those before it, and the word is spelled from their state.</summary>
/// <param name="words">The network of words, at this canvas.</param>
/// <param name="spell">The network that spells.</param>
/// <param name="ids">Number of ids.</param>
/// <param name="canvas">Characters of the longest word.</param>
/// <param name="longest">Words that the main layers take.</param>
/// <param name="first">The word behind which texts begin.</param>
internal sealed class WordStream(Network words, Network spell, int ids, int canvas, int longest, int[] first) : ITokenModel, IDisposable
{
    /// <summary>Id of what follows a word, the padding of its canvas.</summary>
    public const int EndOfWord = 0;

    private readonly KeyValueState _past = words.Begin(1);
    private readonly List<int[]> _written = [first];
    private readonly List<int> _word = [];
    private int _read;
    private Tensor<float>? _state;

    /// <summary>Runs of the main layers so far.</summary>
    public int Runs { get; private set; }

    /// <summary>Appends characters and ends of words.</summary>
    public async ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel)
    {
        if (tokens.Shape[0] != 1) throw new NotSupportedException("One sequence is continued at a time.");
        foreach (var id in tokens.Span)
        {
            if (id != EndOfWord) _word.Add(id);
            else if (_word.Count > 0) End();
        }

        if (_word.Count >= canvas) return Full();
        await ReadAsync(cancel).ConfigureAwait(false);
        var spelled = Tensor.Create([.. _word.Select(id => (long)id), EndOfWord], 1, _word.Count + 1);
        var logits = (await spell.RunAsync(cancel, ("net", _state!), ("idx", spelled)).ConfigureAwait(false))["logits"].Place(0, _word.Count).ToArray();
        // A word has one character at least.
        if (_word.Count == 0) logits[EndOfWord] = float.NegativeInfinity;
        return Tensor.Create(logits, 1, logits.Length);
    }

    /// <inheritdoc/>
    public void Reorder(ReadOnlySpan<int> parents) => throw new NotSupportedException("One sequence has no others to become.");

    /// <inheritdoc/>
    public void Dispose() => _past.Dispose();

    /// <summary>Words as the network takes them: ids (1, T, canvas), behind each word its padding, and lengths (1, T).</summary>
    public static (Tensor<long> Ids, Tensor<long> Lengths) Canvas(IReadOnlyList<int[]> words, int canvas)
    {
        var (ids, lengths) = (Tensor.Zeros<long>(1, words.Count, canvas), Tensor.Create([.. words.Select(word => (long)word.Length)], 1, words.Count));
        for (var i = 0; i < words.Count; i++)
        {
            for (var c = 0; c < words[i].Length; c++) ids[0, i, c] = words[i][c];
        }

        return (ids, lengths);
    }

    // Behind a full canvas nothing but its end can be.
    private Tensor<float> Full()
    {
        var logits = Tensor.Zeros<float>(1, ids);
        logits.Span.Fill(float.NegativeInfinity);
        logits[0, EndOfWord] = 0;
        return logits;
    }

    private void End()
    {
        _written.AddRange(_word.Chunk(canvas));
        _word.Clear();
    }

    // The words that were not read yet; where they are more than the layers take, those of the last half begin anew.
    private async Task ReadAsync(CancellationToken cancel)
    {
        if (_read == _written.Count) return;
        if (_past.Length / PrefixesOf(_state) + _written.Count - _read > longest)
        {
            _past.Truncate(0);
            _read = Math.Max(0, _written.Count - Math.Max(1, longest / 2));
        }

        var (ids, lengths) = Canvas(_written[_read..], canvas);
        var net = (await _past.StepAsync(cancel, ("idx", ids), ("mask", lengths)).ConfigureAwait(false))["net"];
        _state = net.Slice(0).Slice((int)net.Shape[1] - 1).Reshape(1, net.Shape[2], net.Shape[3]);
        _read = _written.Count;
        Runs++;
    }

    private static long PrefixesOf(Tensor<float>? state) => state?.Shape[1] ?? 1;
}
