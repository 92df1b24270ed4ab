namespace ModelZoo.Inference.Kernels;

/// <summary>What stands before the first and after the last input of an axis.</summary>
internal enum Padding
{
    /// <summary>Zeros.</summary>
    Zero,

    /// <summary>The inputs in reverse, without the one at the edge.</summary>
    Reflect,

    /// <summary>The input at the edge.</summary>
    Edge,
}

/// <summary>One axis of a convolution: place i is a sum over taps t of weight t times input i stride + t dilation - before.</summary>
/// <param name="kernel">Number of taps.</param>
/// <param name="stride">Inputs from a place to the next.</param>
/// <param name="dilation">Inputs from a tap to the next.</param>
internal sealed class ConvolutionAxis(int kernel, int stride, int dilation)
{
    public int Kernel => kernel;

    public int Stride => stride;

    public int Dilation => dilation;

    /// <summary>Inputs that a place's taps span.</summary>
    public int Span => (kernel - 1) * dilation + 1;

    /// <summary>The phases of the input that taps meet: inputs whose index leaves the same remainder by the stride. In a phase of its own each tap moves by one input a place.</summary>
    public int[] Phases { get; } = [.. Enumerable.Range(0, kernel).Select(tap => tap * dilation % stride).Distinct()];

    /// <summary>How many inputs of a phase a place's last tap is beyond its first.</summary>
    public int Reach => (kernel - 1) * dilation / stride;

    /// <summary>Which of the <see cref="Phases"/> a tap meets, and how many of its inputs after the place's own.</summary>
    public (int Phase, int Offset) Tap(int tap) => (Array.IndexOf(Phases, tap * dilation % stride), tap * dilation / stride);

    /// <summary>The input at an index that may lie outside; -1 is a zero.</summary>
    public static int Source(int index, int count, Padding padding) => padding switch
    {
        _ when (uint)index < (uint)count => index,
        Padding.Reflect when index < 0 && -index < count => -index,
        Padding.Reflect when index >= count && 2 * (count - 1) - index is >= 0 and var mirrored => mirrored,
        Padding.Reflect => throw new ArgumentException($"{count} numbers have no mirror image at {index}"),
        Padding.Edge => count == 0 ? -1 : Math.Clamp(index, 0, count - 1),
        _ => -1,
    };
}
