using ModelZoo.Networks;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Speech;

/// <summary>A codebook in a graph: its rows, and -|row|^2 / 2 of each.</summary>
internal sealed record Codebook(Scope Scope, Value Rows, Value HalfNorms)
{
    /// <summary>A stored table <c>embed</c> (K, D).</summary>
    public static Codebook Stored(Scope scope, long size, long width, string name = "embed")
    {
        var rows = scope.Data(name, size, width);
        return new(scope, scope.Weight(name, size, width), Norms(scope, rows.Span<float>, size, width));
    }

    /// <summary>A stored table whose codes are columns: <c>embed</c> (D, K).</summary>
    public static Codebook Columns(Scope scope, long size, long width)
    {
        var columns = scope.Data("embed", width, size);
        var rows = new float[size * width];
        for (var i = 0; i < rows.Length && !scope.IsInventory; i++) rows[i] = columns.Span<float>()[(int)(i % width * size + i / width)];
        return new(scope, scope.Derive("rows", [size, width], target => rows.CopyTo(target)), Norms(scope, () => rows, size, width));
    }

    /// <summary>A table kept as running sums and counts: row = sum / max(count, 1e-5).</summary>
    public static Codebook Averaged(Scope scope, long size, long width, string sums, string counts)
    {
        var (sum, count) = (scope.Data(sums, size, width), scope.Data(counts, size));
        var rows = new float[size * width];
        for (var i = 0; i < size && !scope.IsInventory; i++)
            TensorPrimitives.Divide(sum.Span<float>().Slice((int)(i * width), (int)width), Math.Max(count.Span<float>()[i], 1e-5f), rows.AsSpan((int)(i * width)));
        return new(scope, scope.Derive("rows", [size, width], target => rows.CopyTo(target)), Norms(scope, () => rows, size, width));
    }

    private static Value Norms(Scope scope, RowsOf rows, long size, long width) => scope.Derive("half_norms", [size], norms =>
    {
        for (var i = 0; i < norms.Length; i++)
        {
            var sum = 0.0;
            foreach (var value in rows().Slice((int)(i * width), (int)width)) sum += (double)value * value;
            norms[i] = (float)(-sum / 2);
        }
    });

    private delegate ReadOnlySpan<float> RowsOf();
}

/// <summary>Residual vector quantization by Euclidean distance (Zeghidour et al., SoundStream, arXiv:2107.03312, algorithm 1).</summary>
internal static class EuclideanQuantizer
{
    /// <summary>Nearest codes of each codebook in turn, each on what the ones before left over. z (B, D, T) -> (B, T) int64 for each codebook.</summary>
    public static Value[] Quantize(Value z, IReadOnlyList<Codebook> codebooks)
    {
        var residual = z.Swap(1, 2);                                                             // (B, T, D)
        var codes = new Value[codebooks.Count];
        for (var i = 0; i < codes.Length; i++)
        {
            // argmin |r - e|^2 = argmax r.e - |e|^2 / 2
            codes[i] = codebooks[i].Scope.Linear(residual, codebooks[i].Rows, codebooks[i].HalfNorms).ArgMax(-1);
            if (i + 1 < codes.Length) residual -= codebooks[i].Rows.Gather(codes[i]);
        }

        return codes;
    }

    /// <summary>Sum of the rows that codes name. (B, T) for each codebook -> (B, D, T).</summary>
    public static Value Dequantize(IReadOnlyList<Value> codes, IReadOnlyList<Codebook> codebooks) =>
        codes.Zip(codebooks, (ids, codebook) => codebook.Rows.Gather(ids)).Aggregate((sum, part) => sum + part).Swap(1, 2);
}
