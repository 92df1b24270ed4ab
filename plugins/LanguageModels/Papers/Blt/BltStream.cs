using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>A sequence that grows: bytes go on from caches, a patch goes through the large transformer once, when it is known to have ended. What it gives equals the whole computed anew.</summary>
internal sealed class BltStream : ITokenModel, IDisposable
{
    /// <summary>Ids that a network takes at once: longer prompts are read in stretches, whose attention stays small.</summary>
    public const int Stretch = 512;

    private readonly BltNetworks _networks;
    private readonly BltConfig _config;
    private readonly BltHashes _hashes;
    private readonly BltCutter _cutter;
    private readonly KeyValueState? _patcher;
    private readonly KeyValueState _encoder, _global, _decoder;
    private readonly List<int> _ids = [];
    private float[] _open = [];       // the encoder's states of the patch that has not ended
    private float[] _looked = [];     // the large transformer's state of the last one that has

    public BltStream(BltNetworks networks, BltConfig config, BltPatchRule rule)
    {
        (_networks, _config, _hashes, _cutter) = (networks, config, new(config), rule.Begin());
        _patcher = rule.IsEntropic ? networks[BltPart.Patcher].Begin(1) : null;
        (_encoder, _global, _decoder) = (networks[BltPart.Encoder].Begin(1), networks[BltPart.Global].Begin(1), networks[BltPart.Decoder].Begin(1));
    }

    /// <inheritdoc/>
    public async ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel)
    {
        var last = Tensor.Zeros<float>(1, _config.VocabSize);
        foreach (var part in tokens.Span.ToArray().Chunk(Stretch))
        {
            var (logits, _) = await TakeAsync(part, cancel).ConfigureAwait(false);
            logits.Slice(part.Length - 1).Span.CopyTo(last.Span);
        }

        return last;
    }

    /// <inheritdoc/>
    public void Reorder(ReadOnlySpan<int> parents) => throw new NotSupportedException("One sequence has no other to become.");

    /// <summary>Takes the next ids. Gives the logits that follow each (ids, V), and whether a patch begins behind it.</summary>
    public async Task<(Tensor<float> Logits, bool[] Begins)> TakeAsync(int[] ids, CancellationToken cancel)
    {
        var (start, count, width) = (_ids.Count, ids.Length, _config.EncoderConfig.HiddenSize);
        _ids.AddRange(ids);
        var given = Tensor.Create([.. ids.Select(id => (long)id)], 1, count);
        var entropies = _patcher is null ? new float[count] : (await _patcher.StepAsync(cancel, ("ids", given)).ConfigureAwait(false))["entropies"].Span.ToArray();
        var begins = new bool[count];
        for (var i = 0; i < count; i++) begins[i] = _cutter.Take(ids[i], entropies[i]);

        var rows = _hashes.Rows([.. _ids], start).Reshape(1, count, _config.HashTables);
        var states = (await _encoder.StepAsync(cancel, ("ids", given), ("rows", rows)).ConfigureAwait(false))["states"];
        var looked = await LookAsync(begins, [.. _open, .. states.Span], width, cancel).ConfigureAwait(false);
        var logits = (await _decoder.StepAsync(cancel, ("states", states), ("patches", looked)).ConfigureAwait(false))["logits"];
        return (logits.Reshape(count, _config.VocabSize), begins);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _patcher?.Dispose();
        _encoder.Dispose();
        _global.Dispose();
        _decoder.Dispose();
    }

    // The patches that have ended go through the large transformer; each byte looks at the last one that ended with it or before. (1, bytes, Dg)
    private async Task<Tensor<float>> LookAsync(bool[] begins, float[] states, int width, CancellationToken cancel)
    {
        var (patches, wide) = (begins.Count(begin => begin), _config.GlobalConfig.HiddenSize);
        float[] ended = [];
        if (patches > 0)
        {
            var (before, taken) = (states.Length / width - begins.Length, states.Length / width - begins.Reverse().TakeWhile(begin => !begin).Count());
            var (owners, patch) = (Tensor.Zeros<long>(1, taken), 0L);
            for (var i = 0; i < taken; i++)
            {
                owners[0, i] = patch;
                if (i >= before && begins[i - before]) patch++;
            }

            var numbers = Tensor.Create([.. Enumerable.Range(0, patches).Select(number => (long)number)], 1, patches);
            var pooled = await _networks[BltPart.Pool].RunAsync(cancel, ("states", Tensor.Create(states[..(taken * width)], 1, taken, width)), ("owners", owners), ("numbers", numbers)).ConfigureAwait(false);
            ended = (await _global.StepAsync(cancel, ("patches", pooled["patches"])).ConfigureAwait(false))["states"].Span.ToArray();
            states = states[(taken * width)..];
        }

        var (looked, last) = (Tensor.Zeros<float>(1, begins.Length, wide), 0);
        for (var i = 0; i < begins.Length; i++)
        {
            if (begins[i]) _looked = ended[(last * wide)..(++last * wide)];
            _looked.CopyTo(looked.Span[(i * wide)..]);
        }

        _open = states;
        return looked;
    }
}
