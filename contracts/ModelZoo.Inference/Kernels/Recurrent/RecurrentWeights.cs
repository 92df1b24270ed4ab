using System.Runtime.InteropServices;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// Weights of one direction of a recurrent layer, packed gate by gate. Four numbers of each unit are computed in a step, in four slots: of an LSTM the gates i, o, f and c; of a GRU z, r, and the two parts of n, that of the input and that
/// of the state, between which the gate r stands.
/// </summary>
internal sealed unsafe class RecurrentWeights : IDisposable
{
    /// <summary>Number of slots.</summary>
    public const int Slots = 4;

    private readonly PackedMatrix?[] _input = new PackedMatrix?[Slots], _state = new PackedMatrix?[Slots];
    private readonly float* _bias;

    /// <summary>Weights of a direction.</summary>
    /// <param name="gru">Whether it is a GRU, not an LSTM.</param>
    /// <param name="input">W (gates H, I).</param>
    /// <param name="state">R (gates H, H).</param>
    /// <param name="bias">Of the input and of the state, (2 gates H), or null.</param>
    public RecurrentWeights(bool gru, WeightData input, WeightData state, WeightData? bias)
    {
        Hidden = checked((int)state.Shape[1]);
        Inputs = checked((int)input.Shape[1]);
        var gates = gru ? 3 : Slots;
        for (var gate = 0; gate < gates; gate++)
        {
            _input[gate] = new(input.Rows((long)gate * Hidden, Hidden), transposed: false);
            _state[gru && gate == 2 ? 3 : gate] = new(state.Rows((long)gate * Hidden, Hidden), transposed: false);
        }

        _bias = (float*)NativeMemory.AlignedAlloc((nuint)Slots * (nuint)PaddedHidden * sizeof(float), 64);
        var values = new Span<float>(_bias, Slots * PaddedHidden);
        values.Clear();
        if (bias is null) return;
        for (var gate = 0; gate < gates; gate++)
        {
            var stateSlot = gru && gate == 2 ? 3 : gate;
            for (var i = 0; i < Hidden; i++)
            {
                values[gate * PaddedHidden + i] += bias.Span<float>()[gate * Hidden + i];
                values[stateSlot * PaddedHidden + i] += bias.Span<float>()[(gates + gate) * Hidden + i];
            }
        }
    }

    /// <summary>H.</summary>
    public int Hidden { get; }

    /// <summary>I.</summary>
    public int Inputs { get; }

    /// <summary>H with the columns that fill the last panel.</summary>
    public int PaddedHidden => (Hidden + Tile.Columns - 1) / Tile.Columns * Tile.Columns;

    /// <summary>Panels of a slot.</summary>
    public int Panels => PaddedHidden / Tile.Columns;

    /// <summary>What is added to a slot.</summary>
    public float* Bias(int slot) => _bias + slot * PaddedHidden;

    /// <summary>A panel (I, 32) of a slot's input weight, or null: the slot has no part of the input.</summary>
    public float* Input(int slot, int panel) => _input[slot] is { } matrix ? matrix.Panel(panel) : null;

    /// <summary>A panel (H, 32) of a slot's state weight, or null: the slot has no part of the state.</summary>
    public float* State(int slot, int panel) => _state[slot] is { } matrix ? matrix.Panel(panel) : null;

    /// <summary>Packs the weights if that was not done.</summary>
    public void Ready(KernelContext context)
    {
        foreach (var matrix in _input.Concat(_state)) matrix?.Ready(context);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var matrix in _input.Concat(_state)) matrix?.Dispose();
        NativeMemory.AlignedFree(_bias);
    }
}
