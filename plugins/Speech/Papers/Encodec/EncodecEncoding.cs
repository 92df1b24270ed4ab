using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech;

/// <summary>What a recording becomes: codes (B, Q, T) of each chunk, the chunks' scales (chunks, B, 1) when the codec normalises, and the networks' stages.</summary>
internal sealed record EncodecEncoding(IReadOnlyList<Tensor<long>> Chunks, Tensor<float>? Scales, CallResults? Marked = null)
{
    public CallResults Stages { get; } = Marked ?? new();

    /// <summary>All codes in one tensor (chunks, B, Q, T); a shorter last chunk is followed by zeros.</summary>
    public Tensor<long> Stack()
    {
        var first = Chunks[0];
        var stacked = Tensor.Zeros<long>([Chunks.Count, .. first.Shape]);
        for (var i = 0; i < Chunks.Count; i++)
        {
            var (source, target, frames) = (Chunks[i], stacked.Slice(i), (int)Chunks[i].Shape[2]);
            for (var row = 0; row < source.Shape[0] * source.Shape[1]; row++)
                source.Span.Slice(row * frames, frames).CopyTo(target.Span[(row * (int)first.Shape[2])..]);
        }

        return stacked;
    }

    /// <summary>The codes of a stacked tensor, the last chunk without its padding.</summary>
    public static EncodecEncoding Unstack(Tensor<long> codes, Tensor<float>? scales, int lastFramePadding)
    {
        var chunks = new Tensor<long>[codes.Shape[0]];
        for (var i = 0; i < chunks.Length; i++) chunks[i] = codes.Slice(i).TakeLast(codes.Shape[3] - (i == chunks.Length - 1 ? lastFramePadding : 0));
        return new(chunks, scales);
    }
}
