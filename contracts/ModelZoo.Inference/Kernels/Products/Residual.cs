using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Inference.Kernels;

/// <summary>What is added to the rows of a product, y = values + gate y, while they are in the first cache.</summary>
/// <param name="values">Rows that are added; null for none.</param>
/// <param name="gate">Factors on y, a row for each <paramref name="rowsPerGate"/> rows; null for none.</param>
/// <param name="rowsPerGate">Rows of y that share a row of factors.</param>
/// <param name="width">Of all rows.</param>
internal readonly unsafe struct Residual(float* values, float* gate, int rowsPerGate, nint width)
{
    private const int Lanes = 16;

    /// <summary>Whether there is something to add.</summary>
    public bool IsGiven => values is not null;

    /// <summary>Brings what will be added to some rows nearer.</summary>
    /// <param name="row">The first row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="column">The first of 32 columns.</param>
    public void Prefetch(int row, int rows, int column)
    {
        var from = values + row * width + column;
        for (var i = 0; i < rows; i++, from += width)
        {
            Sse.Prefetch0(from);
            Sse.Prefetch0(from + Lanes);
        }
    }

    /// <summary>Adds to some rows.</summary>
    /// <param name="y">The first row's first column.</param>
    /// <param name="row">The first row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="column">The first column.</param>
    /// <param name="columns">Number of columns, 32 at most.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(float* y, int row, int rows, int column, int columns)
    {
        var from = values + row * width + column;
        for (var i = 0; i < rows; i++, from += width, y += width)
        {
            var factors = gate is null ? null : gate + (row + i) / rowsPerGate * width + column;
            var j = 0;
            for (; j + Lanes <= columns; j += Lanes)
            {
                var value = Vector512.Load(y + j);
                (factors is null ? Vector512.Load(from + j) + value : Vector512.FusedMultiplyAdd(Vector512.Load(factors + j), value, Vector512.Load(from + j))).Store(y + j);
            }

            for (; j < columns; j++) y[j] = factors is null ? from[j] + y[j] : MathF.FusedMultiplyAdd(factors[j], y[j], from[j]);
        }
    }
}
