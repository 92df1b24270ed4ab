using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>An hourglass whose last layers take each character's hidden state with the state of the last closed group added (arXiv:2211.09761), byte after byte and each from the pasts of all three stacks.</summary>
internal sealed class HourglassByteModel(Hourglass hourglass, HourglassReader reader) : ITokenModel
{
    private StackPast _decoded = hourglass.Decoder.Begin();

    /// <inheritdoc/>
    public async ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel)
    {
        if (tokens.Shape[0] != 1) throw new NotSupportedException("One sequence is continued at a time.");
        var read = await reader.ReadAsync(tokens.Memory, cancel).ConfigureAwait(false);
        (var outputs, _decoded) = await hourglass.Decoder.RunAsync(("x", Add(read.States, read.Hidden)), _decoded, cancel).ConfigureAwait(false);
        var logits = outputs["logits"];
        return Tensor.Create(logits.Place(0, (int)logits.Shape[1] - 1).ToArray(), 1, logits.Shape[2]);
    }

    /// <inheritdoc/>
    public void Reorder(ReadOnlySpan<int> parents) => throw new NotSupportedException("One sequence has no others to become.");

    /// <summary>The sum of two tensors of one shape.</summary>
    public static Tensor<float> Add(Tensor<float> a, Tensor<float> b)
    {
        var sum = Tensor.Zeros<float>(a.Shape);
        TensorPrimitives.Add(a.Span, b.Span, sum.Span);
        return sum;
    }
}
