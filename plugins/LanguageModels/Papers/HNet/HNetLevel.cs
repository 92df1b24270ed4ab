using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Where sequences stand in a stage. A run makes a new one, so that one that is given up leaves all as it was.</summary>
/// <param name="First">States of the encoder's layers, or of the innermost network's.</param>
internal sealed record HNetState(IReadOnlyDictionary<string, Tensor> First)
{
    /// <summary>States of the decoder's layers.</summary>
    public IReadOnlyDictionary<string, Tensor>? Decoder { get; init; }

    /// <summary>The stage within.</summary>
    public HNetState? Within { get; init; }

    /// <summary>The encoder's last place, (B, D): the router compares the next with it.</summary>
    public Tensor<float>? LastHidden { get; init; }

    /// <summary>What the last chunk became, (B, D).</summary>
    public Tensor<float>? LastSmoothed { get; init; }

    /// <summary>Whether nothing came yet.</summary>
    public bool IsFirst { get; init; } = true;
}

/// <summary>What is seen on the way through the stages.</summary>
internal sealed class HNetTrace
{
    private readonly List<(string Name, Tensor Values, IReadOnlyList<int> Lengths)> _stages = [];

    /// <summary>The router's choices, the outermost stage first; stages that no chunk reached are not among them.</summary>
    public List<HNetBoundaries> Boundaries { get; } = [];

    /// <summary>Notes a stage's values (B, N, ..), of which each sequence has so many.</summary>
    public void Add(string name, Tensor values, IReadOnlyList<int> lengths) => _stages.Add((name, values, lengths));

    /// <summary>Notes an output that is there when stages are asked for.</summary>
    public void Add(string name, NetworkOutputs outputs, IReadOnlyList<int> lengths)
    {
        if (outputs.Has(name)) Add(name, outputs[name], lengths);
    }

    /// <summary>All that was noted; packed is sequences one after the other, (all places, ..), without padding.</summary>
    public CallResults ToResults(bool isPacked) =>
        _stages.Aggregate(new CallResults(), (results, stage) => results.Add(stage.Name, !isPacked ? stage.Values : stage.Values is Tensor<long> whole ? Packed(whole, stage.Lengths) : Packed(stage.Values.As<float>(), stage.Lengths)));

    private static Tensor<T> Packed<T>(Tensor<T> values, IReadOnlyList<int> lengths) where T : unmanaged
    {
        var packed = Tensor.Zeros<T>([lengths.Sum(), .. values.Shape[2..]]);
        var place = 0;
        foreach (var (row, length) in lengths.Index())
        {
            for (var i = 0; i < length; i++) values.Slice(row).Slice(i).Span.CopyTo(packed.Slice(place++).Span);
        }

        return packed;
    }
}

/// <summary>A stage of H-Net with all within it.</summary>
/// <param name="stage">Its numbers.</param>
internal abstract class HNetLevel(HNetStage stage)
{
    /// <summary>Its networks and those within.</summary>
    public abstract IEnumerable<Network> Networks { get; }

    /// <summary>Its numbers.</summary>
    protected HNetStage Stage => stage;

    /// <summary>Name of what its first part takes.</summary>
    protected string In => stage.Index == 0 ? "input_ids" : "outer_states";

    /// <summary>Name of what its last part gives.</summary>
    protected string Out => stage.Index == 0 ? "logits" : "hidden_states";

    /// <summary>All stages of a model.</summary>
    public static HNetLevel Build(NetworkContext context, HNetConfig config)
    {
        HNetLevel? level = null;
        foreach (var stage in config.Stages().Reverse())
        {
            StatefulNetwork[] parts = [.. HNetNetwork.Parts(config, stage).Select((build, i) => new StatefulNetwork(Network.Build(context, $"h-net stage {stage.Index}, part {i}", build, independentRows: true)))];
            level = level is null ? new HNetInnermost(stage, parts[0]) : new HNetOuter(stage, parts[0], level, parts[1]);
        }

        return level!;
    }

    /// <summary>Where sequences stand before their first place.</summary>
    public abstract HNetState Begin(int rows);

    /// <summary>Runs new places of each sequence, one or more: ids (B, L) or states (B, L, outer) -> logits (B, L, V) or states (B, L, outer). With several sequences of different lengths the states are of no use for going on.</summary>
    /// <param name="input">The places.</param>
    /// <param name="lengths">Places of each sequence that are no padding.</param>
    /// <param name="state">Where the sequences stand.</param>
    /// <param name="trace">Told what is seen on the way; may be null.</param>
    /// <param name="cancel">Stops within a network.</param>
    public abstract Task<(Tensor<float> Output, HNetState State)> RunAsync(Tensor input, IReadOnlyList<int> lengths, HNetState state, HNetTrace? trace, CancellationToken cancel);

    /// <summary>The router's choices for whole sequences, the outermost stage first: only encoders run.</summary>
    public abstract Task<IReadOnlyList<HNetBoundaries>> RouteAsync(Tensor input, IReadOnlyList<int> lengths, CancellationToken cancel);
}

/// <summary>The innermost stage: blocks alone.</summary>
internal sealed class HNetInnermost(HNetStage stage, StatefulNetwork main) : HNetLevel(stage)
{
    /// <inheritdoc/>
    public override IEnumerable<Network> Networks => [main.Network];

    /// <inheritdoc/>
    public override HNetState Begin(int rows) => new(main.Begin(rows));

    /// <inheritdoc/>
    public override async Task<(Tensor<float> Output, HNetState State)> RunAsync(Tensor input, IReadOnlyList<int> lengths, HNetState state, HNetTrace? trace, CancellationToken cancel)
    {
        var (outputs, next) = await main.RunAsync(state.First, cancel, (In, input)).ConfigureAwait(false);
        trace?.Add($"main_network_{Stage.Index}", outputs, lengths);
        return (outputs[Out], state with { First = next, IsFirst = false });
    }

    /// <inheritdoc/>
    public override Task<IReadOnlyList<HNetBoundaries>> RouteAsync(Tensor input, IReadOnlyList<int> lengths, CancellationToken cancel) => Task.FromResult<IReadOnlyList<HNetBoundaries>>([]);
}

/// <summary>A stage around another: encoder, router, what is within on the chunks alone, smoothing, decoder (the paper's figure 1).</summary>
internal sealed class HNetOuter(HNetStage stage, StatefulNetwork encoder, HNetLevel within, StatefulNetwork decoder) : HNetLevel(stage)
{
    /// <inheritdoc/>
    public override IEnumerable<Network> Networks => [encoder.Network, .. within.Networks, decoder.Network];

    /// <inheritdoc/>
    public override HNetState Begin(int rows)
    {
        var nothing = Tensor.Zeros<float>(rows, Stage.Width);
        return new(encoder.Begin(rows)) { Decoder = decoder.Begin(rows), Within = within.Begin(rows), LastHidden = nothing, LastSmoothed = nothing };
    }

    /// <inheritdoc/>
    public override async Task<(Tensor<float> Output, HNetState State)> RunAsync(Tensor input, IReadOnlyList<int> lengths, HNetState state, HNetTrace? trace, CancellationToken cancel)
    {
        var (encoded, boundaries, first) = await EncodeAsync(input, lengths, state, cancel).ConfigureAwait(false);
        var hidden = encoded["hidden_states"];
        Note(trace, boundaries, hidden, lengths);

        var (chunks, inner) = (boundaries.Chunks(hidden), state.Within!);
        trace?.Add($"chunk_layer_{Stage.Index}", chunks, boundaries.Counts);
        if (chunks.Shape[1] > 0) (chunks, inner) = await within.RunAsync(chunks, boundaries.Counts, inner, trace, cancel).ConfigureAwait(false);

        var smoothed = boundaries.Smooth(chunks, state.LastSmoothed!);
        trace?.Add($"dechunk_layer_{Stage.Index}", smoothed, lengths);
        var (decoded, last) = await decoder.RunAsync(state.Decoder!, cancel, ("smoothed", smoothed), ("residual", encoded["residual"])).ConfigureAwait(false);
        trace?.Add($"decoder_{Stage.Index}", decoded, lengths);
        return (decoded[Out], new(first) { Decoder = last, Within = inner, LastHidden = LastPlaces(hidden), LastSmoothed = LastPlaces(smoothed), IsFirst = false });
    }

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<HNetBoundaries>> RouteAsync(Tensor input, IReadOnlyList<int> lengths, CancellationToken cancel)
    {
        var (encoded, boundaries, _) = await EncodeAsync(input, lengths, Begin(lengths.Count), cancel).ConfigureAwait(false);
        return [boundaries, .. await within.RouteAsync(boundaries.Chunks(encoded["hidden_states"]), boundaries.Counts, cancel).ConfigureAwait(false)];
    }

    private async Task<(NetworkOutputs Outputs, HNetBoundaries Boundaries, IReadOnlyDictionary<string, Tensor> States)> EncodeAsync(Tensor input, IReadOnlyList<int> lengths, HNetState state, CancellationToken cancel)
    {
        var (encoded, next) = await encoder.RunAsync(state.First, cancel, (In, input), ("before", state.LastHidden!)).ConfigureAwait(false);
        return (encoded, new(encoded["boundary_prob"], lengths, state.IsFirst), next);
    }

    private void Note(HNetTrace? trace, HNetBoundaries boundaries, Tensor<float> hidden, IReadOnlyList<int> lengths)
    {
        if (trace is null) return;
        trace.Boundaries.Add(boundaries);
        var (rows, length) = ((int)hidden.Shape[0], (int)hidden.Shape[1]);
        var (both, begins, selected) = (Tensor.Zeros<float>(rows, length, 2), Tensor.Zeros<long>(rows, length), Tensor.Zeros<float>(rows, length, 1));
        for (var row = 0; row < rows; row++)
        {
            for (var place = 0; place < length; place++)
            {
                var p = boundaries.Probability[row, place];
                (both[row, place, 0], both[row, place, 1], begins[row, place], selected[row, place, 0]) = (1 - p, p, boundaries.Begins(row, place) ? 1 : 0, Math.Max(p, 1 - p));
            }
        }

        trace.Add($"encoder_{Stage.Index}", hidden, lengths);
        trace.Add($"boundary_prob_{Stage.Index}", both, lengths);
        trace.Add($"boundary_mask_{Stage.Index}", begins, lengths);
        trace.Add($"selected_probs_{Stage.Index}", selected, lengths);
    }

    private static Tensor<float> LastPlaces(Tensor<float> x)
    {
        var last = Tensor.Zeros<float>(x.Shape[0], x.Shape[2]);
        for (var row = 0; row < x.Shape[0]; row++) x.Slice(row).Slice((int)x.Shape[1] - 1).Span.CopyTo(last.Slice(row).Span);
        return last;
    }
}
