namespace ModelZoo.Inference.Kernels;

/// <summary>Convolutions of signals and pictures with a constant weight and one group, transposed ones too, with the padding before them.</summary>
internal static class ConvolutionRule
{
    private static readonly string[] Understood = ["kernel_shape", "strides", "pads", "dilations", "group", "output_padding", "auto_pad"];

    public static void Apply(RewrittenGraph graph, GraphNode node)
    {
        if (node is not { Operator: "Conv" or "ConvTranspose", Domain: "" } || graph.Weight(node, 1) is not { Count: > 0 } weight) return;
        var (attributes, axes) = (node.Attributes, weight.Shape.Length - 2);
        if (axes is not (1 or 2) || attributes.Keys.Except(Understood).Any() || attributes.GetValueOrDefault("group", 1L) is not 1L || attributes.GetValueOrDefault("auto_pad", "NOTSET") is not "NOTSET") return;
        var transposed = node.Operator == "ConvTranspose";
        var (outputs, channels) = transposed ? ((int)weight.Shape[1], (int)weight.Shape[0]) : ((int)weight.Shape[0], (int)weight.Shape[1]);
        var bias = graph.Weight(node, 2);
        if (RewrittenGraph.Named(node, 2) is not null && bias?.Count != outputs) return;

        // A signal is a picture of one row.
        var kernel = Sizes(weight.Shape[2..], axes, 1);
        var (strides, dilations, pads) = (Sizes(attributes, "strides", axes, 1), Sizes(attributes, "dilations", axes, 1), attributes.GetValueOrDefault("pads") as long[] ?? new long[2 * axes]);
        var (y, x) = (new ConvolutionAxis(kernel[0], strides[0], dilations[0]), new ConvolutionAxis(kernel[1], strides[1], dilations[1]));
        var options = new ConvolutionOptions(y, x, transposed, [.. Sizes(pads.AsSpan(0, axes), axes, 0), .. Sizes(pads.AsSpan(axes), axes, 0)], Sizes(attributes, "output_padding", axes, 0), Padding.Zero, Elu: false);
        var map = transposed ? FilterMap.Transposed(outputs, channels, y, x) : FilterMap.Convolution(outputs, channels, y, x);
        graph.Replace(new ConvolutionKernel(new(weight, map), bias, options, graph.Inputs, graph.Scratch), [node.Inputs[0]], node);
    }

    private static int[] Sizes(IReadOnlyDictionary<string, object> attributes, string name, int axes, int missing) => Sizes((attributes.GetValueOrDefault(name) as long[] ?? [.. Enumerable.Repeat((long)missing, axes)]).AsSpan(), axes, missing);

    private static int[] Sizes(ReadOnlySpan<long> sizes, int axes, int missing) => axes == 2 ? [checked((int)sizes[0]), checked((int)sizes[1])] : [missing, checked((int)sizes[0])];
}
