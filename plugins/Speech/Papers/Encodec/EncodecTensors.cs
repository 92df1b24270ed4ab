using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech;

/// <summary>Parts of tensors that the codec works on.</summary>
internal static class EncodecTensors
{
    /// <summary>A copy of samples <paramref name="start"/>.. of the last dimension of (B, C, T).</summary>
    public static Tensor<T> Window<T>(this Tensor<T> x, int start, int length) where T : unmanaged
    {
        var (rows, total) = ((int)(x.Shape[0] * x.Shape[1]), (int)x.Shape[2]);
        var window = Tensor.Zeros<T>(x.Shape[0], x.Shape[1], length);
        for (var row = 0; row < rows; row++) x.Span.Slice(row * total + start, length).CopyTo(window.Span[(row * length)..]);
        return window;
    }

    /// <summary>The first <paramref name="count"/> elements of the last of three dimensions.</summary>
    public static Tensor<T> TakeLast<T>(this Tensor<T> x, long count) where T : unmanaged
    {
        var total = (int)x.Shape[2];
        if (count == total) return x;
        var taken = Tensor.Zeros<T>(x.Shape[0], x.Shape[1], count);
        for (var row = 0; row < x.Shape[0] * x.Shape[1]; row++) x.Span.Slice(row * total, (int)count).CopyTo(taken.Span[(row * (int)count)..]);
        return taken;
    }

    /// <summary>Pieces (B, C, T..) one after the other.</summary>
    public static Tensor<T> Join<T>(this IReadOnlyList<Tensor<T>> pieces) where T : unmanaged
    {
        if (pieces.Count == 1) return pieces[0];
        var (rows, total) = ((int)(pieces[0].Shape[0] * pieces[0].Shape[1]), (int)pieces.Sum(piece => piece.Shape[2]));
        var whole = Tensor.Zeros<T>(pieces[0].Shape[0], pieces[0].Shape[1], total);
        var start = 0;
        foreach (var piece in pieces)
        {
            var length = (int)piece.Shape[2];
            for (var row = 0; row < rows; row++) piece.Span.Slice(row * length, length).CopyTo(whole.Span[(row * total + start)..]);
            start += length;
        }

        return whole;
    }

    /// <summary>The first codebooks of codes (B, Q, T).</summary>
    public static Tensor<long> TakeRows(this Tensor<long> codes, int rows)
    {
        var size = rows * (int)codes.Shape[2];
        var taken = Tensor.Zeros<long>(codes.Shape[0], rows, codes.Shape[2]);
        for (var b = 0; b < codes.Shape[0]; b++) codes.Slice(b).Span[..size].CopyTo(taken.Slice(b).Span);
        return taken;
    }

    /// <summary>The only batch row of (1, channels, samples), cut to a length when that is known: (channels, samples).</summary>
    public static Tensor<float> Trim(this Tensor<float> x, long length) => x.TakeLast(length > 0 ? Math.Min(length, x.Shape[2]) : x.Shape[2]).Slice(0);

    /// <summary>The same tokens with fewer codebooks.</summary>
    public static Tokens TakeCodebooks(this Tokens tokens, int count) =>
        tokens with { Ids = Tensor.Create(tokens.Ids.Span[..(count * (int)tokens.Ids.Shape[1])].ToArray(), count, tokens.Ids.Shape[1]) };

    /// <summary>Samples (B, C, T) become zero where a mask (B, T), (B, 1, T) or (B, C, T) of any number type is, from its place <paramref name="start"/> on.</summary>
    public static void Mask(this Tensor<float> samples, Tensor mask, int start)
    {
        var (channels, length, total, size) = ((int)samples.Shape[1], (int)samples.Shape[2], (int)mask.Shape[^1], mask.Type.Size());
        var masked = mask.Rank == 3 ? (int)mask.Shape[1] : 1;
        for (var row = 0; row < samples.Shape[0] * channels; row++)
        {
            var bytes = mask.Bytes.Slice((row / channels * masked + row % channels % masked) * total * size, total * size);
            var target = samples.Span.Slice(row * length, length);
            for (var t = 0; t < length; t++)
            {
                // Zero is all bits zero in every number type.
                if (!bytes.Slice((start + t) * size, size).ContainsAnyExcept((byte)0)) target[t] = 0;
            }
        }
    }

    /// <summary>The results but for one.</summary>
    public static CallResults Without(this CallResults results, string name)
    {
        var rest = new CallResults();
        foreach (var (key, value) in results.Values)
        {
            if (key != name && value is Tensor tensor) rest.Add(key, tensor);
        }

        return rest;
    }
}
