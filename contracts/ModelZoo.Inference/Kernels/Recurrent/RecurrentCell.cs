using System.Runtime.Intrinsics;

namespace ModelZoo.Inference.Kernels;

/// <summary>What a unit does with the four numbers that its slots hold.</summary>
internal static unsafe class RecurrentCell
{
    /// <summary>LSTM (Hochreiter and Schmidhuber, with forget gates): c = s(f) c + s(i) tanh(g), h = s(o) tanh(c). 32 units.</summary>
    /// <param name="slots">i; o, f and g follow, each <paramref name="stride"/> on.</param>
    /// <param name="bias">Added to them, with the same stride.</param>
    /// <param name="stride">From a slot to the next.</param>
    /// <param name="cell">c, which is replaced.</param>
    /// <param name="hidden">h.</param>
    public static void Lstm(float* slots, float* bias, nint stride, float* cell, float* hidden)
    {
        for (var i = 0; i < Tile.Columns; i += 16)
        {
            var input = VectorMath.Sigmoid(Slot(slots + i, bias + i, 0));
            var forget = VectorMath.Sigmoid(Slot(slots + i, bias + i, 2 * stride));
            var c = forget * Vector512.Load(cell + i) + input * VectorMath.Tanh(Slot(slots + i, bias + i, 3 * stride));
            c.Store(cell + i);
            (VectorMath.Sigmoid(Slot(slots + i, bias + i, stride)) * VectorMath.Tanh(c)).Store(hidden + i);
        }
    }

    /// <summary>GRU (Cho et al., arXiv:1406.1078, as PyTorch has it): n = tanh(x + s(r) y), h = (1 - s(z)) n + s(z) h. 32 units.</summary>
    /// <param name="slots">z; r, x and y follow, each <paramref name="stride"/> on.</param>
    /// <param name="bias">Added to them, with the same stride.</param>
    /// <param name="stride">From a slot to the next.</param>
    /// <param name="state">h as it was, which is replaced.</param>
    /// <param name="hidden">h.</param>
    public static void Gru(float* slots, float* bias, nint stride, float* state, float* hidden)
    {
        for (var i = 0; i < Tile.Columns; i += 16)
        {
            var update = VectorMath.Sigmoid(Slot(slots + i, bias + i, 0));
            var reset = VectorMath.Sigmoid(Slot(slots + i, bias + i, stride));
            var next = VectorMath.Tanh(Slot(slots + i, bias + i, 2 * stride) + reset * Slot(slots + i, bias + i, 3 * stride));
            var h = next + update * (Vector512.Load(state + i) - next);
            h.Store(state + i);
            h.Store(hidden + i);
        }
    }

    private static Vector512<float> Slot(float* slots, float* bias, nint offset) => Vector512.Load(slots + offset) + Vector512.Load(bias + offset);
}
