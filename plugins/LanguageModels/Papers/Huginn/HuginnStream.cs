using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>
/// A sequence that grows over caches, one for each recurrence. A recurrence sees the tokens that came as far: where some were enough with fewer, later ones do not see them there (the authors' strategy <c>full</c>).
/// </summary>
/// <param name="networks">The parts.</param>
/// <param name="config">The published configuration.</param>
/// <param name="options">How often, and what ends it.</param>
/// <param name="seed">Of the states at the beginning.</param>
internal sealed class HuginnStream(HuginnNetworks networks, HuginnConfig config, IHuginnOptions options, ulong seed) : ITokenModel, IDisposable
{
    private readonly KeyValueState _prelude = networks[HuginnPart.Prelude, true].Begin(1), _coda = networks[HuginnPart.Coda, true].Begin(1);
    private readonly List<KeyValueState> _recurrences = [];
    private readonly HuginnExit _exit = new(options.Criterion, options.ExitThreshold);
    private int _length;

    /// <summary>Recurrences of each step so far.</summary>
    public List<int> Steps { get; } = [];

    /// <inheritdoc/>
    public ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel) =>
        AppendAsync(tokens, HuginnState.Draw(config, _length, (int)tokens.Shape[1], options.StateScale, seed), cancel);

    /// <summary>The same from given states (1, N, D).</summary>
    public async ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, Tensor<float> state, CancellationToken cancel)
    {
        var count = (int)tokens.Shape[1];
        if (_length + count > config.BlockSize) throw new MediaException(ErrorCodes.MediaUnsupported, "The text is longer than this model can take.") { Expected = $"{config.BlockSize} tokens at most", Found = $"{_length + count}" };
        var ids = Tensor.Create(Array.ConvertAll(tokens.Span.ToArray(), id => (long)id), 1, count);
        var positions = Tensor.Create([.. Enumerable.Range(_length, count).Select(place => (long)place)], 1, count);
        var embedded = (await _prelude.StepAsync(cancel, ("ids", ids), ("positions", positions)).ConfigureAwait(false))["embedded_inputs"];
        _exit.Begin(state, config.VocabSize);
        Tensor<float>? logits = null;
        var step = 0;
        for (var enough = false; step < (options.Steps ?? config.MeanRecurrence) && !enough; step++)
        {
            if (step == _recurrences.Count) _recurrences.Add(networks[HuginnPart.Core, true].Begin(1));
            state = (await _recurrences[step].StepAsync(cancel, ("state", state), ("embedded_inputs", embedded), ("positions", positions)).ConfigureAwait(false))["next_state"];
            logits = null;
            if (!_exit.IsActive || step < options.MinSteps) continue;
            if (_exit.NeedsLogits) logits = await ReadAsync(state, positions, cancel).ConfigureAwait(false);
            enough = _exit.Take(state, logits is null ? [] : logits.Span);
        }

        logits ??= await ReadAsync(state, positions, cancel).ConfigureAwait(false);
        _length += count;
        Steps.Add(step);
        return logits;
    }

    /// <inheritdoc/>
    public void Reorder(ReadOnlySpan<int> parents) => throw new NotSupportedException("One sequence has no other to become.");

    /// <inheritdoc/>
    public void Dispose()
    {
        _prelude.Dispose();
        _coda.Dispose();
        foreach (var recurrence in _recurrences) recurrence.Dispose();
    }

    // What is read before the last recurrence leaves nothing behind.
    private async Task<Tensor<float>> ReadAsync(Tensor<float> state, Tensor<long> positions, CancellationToken cancel)
    {
        _coda.Truncate(_length);
        return (await _coda.StepAsync(cancel, ("state", state), ("positions", positions)).ConfigureAwait(false))["logits"];
    }
}
