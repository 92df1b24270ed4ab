using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech;

/// <summary>Shapes that codecs pass around.</summary>
internal static class CodecTensors
{
    /// <summary>Samples (.., T) followed by zeros up to a multiple of <paramref name="multiple"/>.</summary>
    public static Tensor<float> PadTo(this Tensor<float> samples, int multiple)
    {
        var length = (int)samples.Shape[^1];
        return samples.PadBy((multiple - length % multiple) % multiple);
    }

    /// <summary>Samples (.., T) followed by some zeros.</summary>
    public static Tensor<float> PadBy(this Tensor<float> samples, int zeros)
    {
        if (zeros == 0) return samples;
        var length = (int)samples.Shape[^1];
        var padded = Tensor.Zeros<float>([.. samples.Shape[..^1], length + zeros]);
        for (var row = 0; row < samples.Length / length; row++) samples.Span.Slice(row * length, length).CopyTo(padded.Span[(row * (length + zeros))..]);
        return padded;
    }

    /// <summary>Samples (B, C, T) between zeros.</summary>
    public static Tensor<float> PadBothBy(this Tensor<float> samples, int zeros)
    {
        var (length, total) = ((int)samples.Shape[2], (int)samples.Shape[2] + 2 * zeros);
        var padded = Tensor.Zeros<float>(samples.Shape[0], samples.Shape[1], total);
        for (var row = 0; row < samples.Length / length; row++) samples.Span.Slice(row * length, length).CopyTo(padded.Span[(row * total + zeros)..]);
        return padded;
    }

    /// <summary>Network codes (1, Q, T) as tokens (Q, T).</summary>
    public static Tensor<int> ToTokens(this Tensor<long> codes)
    {
        var ids = Tensor.Zeros<int>(codes.Shape[^2], codes.Shape[^1]);
        for (var i = 0; i < ids.Length; i++) ids.Span[i] = (int)codes.Span[i];
        return ids;
    }

    /// <summary>Network codes (Q, 1, T) as tokens (Q, T).</summary>
    public static Tensor<int> ToTokensByCodebook(this Tensor<long> codes) => codes.Reshape(1, codes.Shape[0], codes.Shape[2]).ToTokens();

    /// <summary>Tokens (Q, T) as network codes (1, Q, T).</summary>
    public static Tensor<long> ToCodes(this Tensor<int> ids)
    {
        var codes = Tensor.Zeros<long>(1, ids.Shape[0], ids.Shape[1]);
        for (var i = 0; i < ids.Length; i++) codes.Span[i] = ids.Span[i];
        return codes;
    }
}
