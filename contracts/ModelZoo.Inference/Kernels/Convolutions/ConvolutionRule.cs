namespace ModelZoo.Inference.Kernels;

/// <summary>Convolutions of signals and pictures with a constant weight and one group, transposed ones too, with the padding before them.</summary>
internal static class ConvolutionRule
{
    private static readonly string[] Understood = ["kernel_shape", "strides", "pads", "dilations", "group", "output_padding", "auto_pad"];

    // With fewer, factors of a picture cost more than the products that they save.
    private const int FewestChannels = 32;

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
        var (input, padding) = (node.Inputs[0], Padded.None(axes));
        if (!transposed && Padded.Of(graph, node, axes) is { } before && (before.IsZero || pads.All(pad => pad == 0))) (input, padding) = (before.Input, before);
        var unit = graph.Reader(input) is not null ? Unit(graph, input) : null;
        var options = new ConvolutionOptions(
            y, x, transposed, [.. Sizes(pads.AsSpan(0, axes), axes, 0).Zip(Sizes(padding.Before, axes, 0), (a, b) => a + b), .. Sizes(pads.AsSpan(axes), axes, 0).Zip(Sizes(padding.After, axes, 0), (a, b) => a + b)],
            Sizes(attributes, "output_padding", axes, 0), padding.Mode, unit is not null);
        var map = transposed ? FilterMap.Transposed(outputs, channels, y, x) : FilterMap.Convolution(outputs, channels, y, x);
        var winograd = !transposed && kernel is [3, 3] && strides is [1, 1] && dilations is [1, 1] && Math.Min(outputs, channels) >= FewestChannels ? WinogradConvolution.Of(weight, bias, graph.Scratch) : null;
        graph.Replace(new ConvolutionKernel(new(weight, map), winograd, bias, options, graph.Inputs, graph.Scratch), padding.Amounts is { } amounts ? [unit ?? input, amounts] : [unit ?? input], node);
    }

    // x where positive, else e^x - 1: as one operator, or as max(x, 0) - (1 - e^min(x, 0)).
    private static string? Unit(RewrittenGraph graph, string value)
    {
        if (graph.Writer(value) is { Operator: "Elu" } elu) return elu.Attributes.GetValueOrDefault("alpha", 1f) is 1f ? elu.Inputs[0] : null;
        return graph.Writer(value) is { Operator: "Sub" } sub
            && graph.Writer(sub.Inputs[0]) is { Operator: "Relu" } above
            && graph.Writer(sub.Inputs[1]) is { Operator: "Sub" } below && graph.IsNumber(below.Inputs[0], 1)
            && graph.Writer(below.Inputs[1]) is { Operator: "Exp" } power
            && graph.Writer(power.Inputs[0]) is { Operator: "Clip", Inputs: [var x, var minimum, var maximum] } && x == above.Inputs[0] && graph.IsNumber(minimum, float.NegativeInfinity) && graph.IsNumber(maximum, 0) ? x : null;
    }

    private static int[] Sizes(IReadOnlyDictionary<string, object> attributes, string name, int axes, int missing) => Sizes((attributes.GetValueOrDefault(name) as long[] ?? [.. Enumerable.Repeat((long)missing, axes)]).AsSpan(), axes, missing);

    private static int[] Sizes(ReadOnlySpan<long> sizes, int axes, int missing) => axes == 2 ? [checked((int)sizes[0]), checked((int)sizes[1])] : [missing, checked((int)sizes[0])];
}
