using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What the encoder gives.</summary>
/// <param name="States">States of what is left, (B, M, D).</param>
/// <param name="Keys">What scores of the decoder's attention have added, (B, M): padding that is masked, and the gate.</param>
/// <param name="GateKeys">The gate's part alone, (B, M); null without a gate.</param>
/// <param name="Logits">What the gate computed, (B, N, 1); null without a gate.</param>
/// <param name="Gates">The gate of each byte, (B, N, 1); null without a gate.</param>
internal sealed record MrT5Encoded(Tensor<float> States, Tensor<float> Keys, Tensor<float>? GateKeys, Tensor<float>? Logits, Tensor<float>? Gates);

/// <summary>MrT5's networks over one checkpoint, and the deletion between them.</summary>
internal sealed class MrT5Runner : IDisposable
{
    private static readonly Dim Batch = Dim.Symbol("batch"), Length = Dim.Symbol("length"), Left = Dim.Symbol("left");

    private readonly MrT5Config _config;
    private readonly MrT5Gate _gate;
    private readonly Network _before, _after, _decoder;

    public MrT5Runner(NetworkContext context, MrT5Config config)
    {
        (_config, _gate) = (config, new(config));
        var graphs = Graphs(config);
        (_before, _after, _decoder) = (Network.Build(context, "mrt5 before the gate", graphs[0]), Network.Build(context, "mrt5 after the gate", graphs[1]), Network.Build(context, "mrt5 decoder", graphs[2]));
    }

    /// <summary>The networks.</summary>
    public IEnumerable<Network> Networks => [_before, _after, _decoder];

    /// <summary>The encoder before the gate, after it, and the decoder.</summary>
    public static IReadOnlyList<Action<Scope>> Graphs(MrT5Config config) =>
    [
        scope =>
        {
            var g = scope.Graph;
            var x = MrT5Network.Before(scope, g.Input("ids", ElementType.Int64, [Batch, Length]), g.Input("keys", [Batch, Length]), config);
            g.Output("states", x);
            if (config.IsLearned) g.Output("gate_logits", MrT5Network.Gate(scope, x, config));
        },
        scope =>
        {
            var g = scope.Graph;
            g.Output("states", MrT5Network.After(scope, g.Input("x", [Batch, Left, config.DModel]), g.Input("positions", ElementType.Int64, [Batch, Left]), g.Input("keys", [Batch, Left]), config));
        },
        scope =>
        {
            var g = scope.Graph;
            Value Whole(string name) => g.Input(name, ElementType.Int64, [Batch, Length]);
            g.Output("logits", MrT5Network.Decode(scope, Whole("ids"), Whole("real"), g.Input("states", [Batch, Left, config.DModel]), g.Input("keys", [Batch, Left]), config));
        },
    ];

    /// <summary>Reads ids (B, N) with a mask (B, N), 0 for padding, null for none.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="mask">The mask.</param>
    /// <param name="isHard">True takes bytes out; else their scores are lowered by the gate.</param>
    /// <param name="threshold">Gate above which a byte is kept; null is as published.</param>
    /// <param name="cancel">Stops between networks.</param>
    public async Task<MrT5Encoded> EncodeAsync(Tensor<long> ids, Tensor<long>? mask, bool isHard, double? threshold, CancellationToken cancel)
    {
        var (rows, length) = ((int)ids.Shape[0], (int)ids.Shape[1]);
        var masked = Tensor.Zeros<float>(rows, length);
        for (var i = 0; i < masked.Length; i++) masked.Span[i] = mask is not null && mask.Span[i] == 0 ? AttentionLayers.Masked : 0;
        var (states, logits, gates) = await BeforeAsync(ids, masked, cancel).ConfigureAwait(false);
        var kept = gates is null ? new MrT5Kept(Places(rows, length), Tensor.Zeros<float>(rows, length))
            : isHard ? _gate.Keep(gates, threshold ?? _config.Threshold) : new(Places(rows, length), (Tensor<float>)gates.Reshape(rows, length));

        var (left, width) = ((int)kept.Positions.Shape[1], (int)_config.DModel);
        var (x, keys) = (Tensor.Zeros<float>(rows, left, width), Tensor.Zeros<float>(rows, left));
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < left; i++)
            {
                var from = (int)kept.Positions[row, i];
                states.Slice(row).Slice(from).Span.CopyTo(x.Slice(row).Slice(i).Span);
                keys[row, i] = masked[row, from] + kept.Keys[row, i];
            }
        }

        // With the gate before the first layer there are no distances yet, and those of what is left are counted anew, as the authors do.
        var positions = isHard && _config.Before == 0 ? Places(rows, left) : kept.Positions;
        var after = await _after.RunAsync(cancel, ("x", x), ("positions", positions), ("keys", keys)).ConfigureAwait(false);
        return new(after["states"], keys, _config.HasGate ? kept.Keys : null, logits ?? gates, gates);
    }

    /// <summary>The gates of ids (B, N) without padding: (B, N, 1); null where there is no gate.</summary>
    public async Task<Tensor<float>?> GatesAsync(Tensor<long> ids, CancellationToken cancel) => (await BeforeAsync(ids, Tensor.Zeros<float>(ids.Shape), cancel).ConfigureAwait(false)).Gates;

    /// <summary>Logits (B, L, V) behind each of the decoder's ids (B, L).</summary>
    /// <param name="ids">What was written so far.</param>
    /// <param name="real">0 for padding (B, L); null for none.</param>
    /// <param name="states">The encoder's states (B, M, D).</param>
    /// <param name="keys">What scores have added (B, M).</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<Tensor<float>> DecodeAsync(Tensor<long> ids, Tensor<long>? real, Tensor<float> states, Tensor<float> keys, CancellationToken cancel)
    {
        if (real is null)
        {
            real = Tensor.Zeros<long>(ids.Shape);
            real.Span.Fill(1);
        }

        return (await _decoder.RunAsync(cancel, ("ids", ids), ("real", real), ("states", states), ("keys", keys)).ConfigureAwait(false))["logits"];
    }

    /// <summary>A sequence that the decoder writes, one row.</summary>
    public ITokenModel Begin(MrT5Encoded encoded) => new RecomputingModel((ids, cancel) => DecodeAsync(ids, null, encoded.States, encoded.Keys, cancel));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var network in Networks) network.Dispose();
    }

    private async Task<(Tensor<float> States, Tensor<float>? Logits, Tensor<float>? Gates)> BeforeAsync(Tensor<long> ids, Tensor<float> keys, CancellationToken cancel)
    {
        var outputs = await _before.RunAsync(cancel, ("ids", ids), ("keys", keys)).ConfigureAwait(false);
        var logits = _config.IsLearned ? outputs["gate_logits"] : null;
        return (outputs["states"], logits, _config.HasGate ? _gate.Values(logits, ids) : null);
    }

    private static Tensor<long> Places(int rows, int length)
    {
        var places = Tensor.Zeros<long>(rows, length);
        for (var i = 0; i < places.Length; i++) places.Span[i] = i % length;
        return places;
    }
}
