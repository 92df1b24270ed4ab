using System.Numerics.Tensors;
using ModelZoo.Contracts;
using Tensor = ModelZoo.Contracts.Tensor;

namespace ModelZoo.Networks;

/// <summary>Convolutions over any number of dimensions; weights in PyTorch's layout.</summary>
public static class ConvolutionLayers
{
    /// <summary>Convolution with one extent for all dimensions. <c>weight</c> (out, in / groups, kernel..), <c>bias</c> (out). x (B, in, ..) -> (B, out, ..), zero padding on both sides.</summary>
    public static Value Conv(this Scope scope, Value x, long outputs, long kernel, long stride = 1, long padding = 0, long dilation = 1, long groups = 1, bool bias = true)
    {
        long[] kernels = [.. Enumerable.Repeat(kernel, x.Rank - 2)];
        return scope.Conv(x, scope.Weight("weight", [outputs, x.Shape[1].Size / groups, .. kernels]), bias ? scope.Weight("bias", outputs) : null, stride, padding, dilation, groups);
    }

    /// <summary>Convolution with given weights.</summary>
    public static Value Conv(this Scope scope, Value x, Value weight, Value? bias, long stride = 1, long padding = 0, long dilation = 1, long groups = 1)
    {
        var dimensions = x.Rank - 2;
        return scope.Conv(x, weight, bias, Same(dimensions, stride), Same(dimensions, padding), Same(dimensions, padding), Same(dimensions, dilation), groups);
    }

    /// <summary>Convolution with strides, paddings and dilations for each dimension.</summary>
    public static Value Conv(this Scope scope, Value x, Value weight, Value? bias, long[] strides, long[] before, long[] after, long[] dilations, long groups = 1)
    {
        if (x.Rank != weight.Rank || x.Shape[1] != weight.Shape[1] * groups)
            throw new GraphException("A convolution takes (B, in, ..) and a weight (out, in / groups, kernel..).") { Where = scope.Path, Expected = weight.ToString(), Found = x.ToString() };
        var kernels = weight.Shape[2..].Sizes;
        var spatial = kernels.Select((kernel, i) => (x.Shape[i + 2] + (before[i] + after[i] - dilations[i] * (kernel - 1) - 1)) / strides[i] + 1);
        if (WebGpuKernels.MixesGroups(scope.Graph, groups, weight.Shape[0].Size / groups))
        {
            var (inputs, outputs) = (weight.Shape[1].Size, weight.Shape[0].Size / groups);
            Value Part(Value value, int axis, long group, long count) => value.Slice(axis, group * count, (group + 1) * count);
            return ValueShape.Concat(1, [.. Enumerable.Range(0, (int)groups).Select(group => scope.Conv(Part(x, 1, group, inputs), Part(weight, 0, group, outputs), bias is null ? null : Part(bias, 0, group, outputs), strides, before, after, dilations))]);
        }

        if (groups == 1 && WebGpuKernels.ReadsThreeInputs(scope.Graph, weight.Shape[1].Size, weight.Shape[0].Size))
        {
            var more = 4 - weight.Shape[1].Size % 4;
            (x, weight) = (x.Pad(1, 0, more), weight.Pad(1, 0, more));
        }

        return scope.Node("Conv", [x, weight, bias], [x.Shape[0], weight.Shape[0], .. spatial],
            ("kernel_shape", kernels), ("strides", strides), ("pads", (long[])[.. before, .. after]), ("dilations", dilations), ("group", groups));
    }

    /// <summary>Transposed convolution. <c>weight</c> (in, out / groups, kernel..), <c>bias</c> (out). x (B, in, ..) -> (B, out, ..).</summary>
    public static Value ConvTranspose(this Scope scope, Value x, long outputs, long kernel, long stride = 1, long padding = 0, long outputPadding = 0, long groups = 1, bool bias = true, long dilation = 1)
    {
        long[] kernels = [.. Enumerable.Repeat(kernel, x.Rank - 2)];
        return scope.ConvTranspose(x, scope.Weight("weight", [x.Shape[1].Size, outputs / groups, .. kernels]), bias ? scope.Weight("bias", outputs) : null, stride, padding, outputPadding, groups, dilation);
    }

    /// <summary>Transposed convolution with given weights.</summary>
    public static Value ConvTranspose(this Scope scope, Value x, Value weight, Value? bias, long stride = 1, long padding = 0, long outputPadding = 0, long groups = 1, long dilation = 1) =>
        scope.ConvTranspose(x, weight, bias, stride, padding, padding, outputPadding, groups, dilation);

    /// <summary>Transposed convolution that trims its two ends by different amounts.</summary>
    public static Value ConvTranspose(this Scope scope, Value x, Value weight, Value? bias, long stride, long trimStart, long trimEnd, long outputPadding, long groups, long dilation = 1)
    {
        if (x.Rank != weight.Rank || x.Shape[1] != weight.Shape[0])
            throw new GraphException("A transposed convolution takes (B, in, ..) and a weight (in, out / groups, kernel..).") { Where = scope.Path, Expected = weight.ToString(), Found = x.ToString() };
        var kernels = weight.Shape[2..].Sizes;
        if (outputPadding >= stride)
        {
            // The kernel takes less than a stride: zeros after the input give whole strides, of which the end is trimmed.
            var zeros = outputPadding / stride + 1;
            x = x.Pad([.. kernels.Select((_, i) => (i + 2, (Dim)0, (Dim)zeros))]);
            (trimEnd, outputPadding) = (trimEnd + zeros * stride - outputPadding, 0);
        }

        var spatial = kernels.Select((kernel, i) => (x.Shape[i + 2] - 1) * stride + (dilation * (kernel - 1) + 1 - trimStart - trimEnd + outputPadding));
        var dimensions = kernels.Length;
        return scope.Node("ConvTranspose", [x, weight, bias], [x.Shape[0], weight.Shape[1] * groups, .. spatial], ("kernel_shape", kernels), ("strides", Same(dimensions, stride)),
            ("pads", (long[])[.. Same(dimensions, trimStart), .. Same(dimensions, trimEnd)]), ("output_padding", Same(dimensions, outputPadding)), ("dilations", Same(dimensions, dilation)), ("group", groups));
    }

    /// <summary>
    /// Convolution over time that never looks ahead: output t sees inputs before (t + 1) stride. All padding, (kernel - 1) dilation + 1 - stride, is put in front. <c>weight</c> (out, in / groups, kernel), <c>bias</c> (out). x (B, in, T) -> (B, out, T / stride).
    /// </summary>
    public static Value CausalConv(this Scope scope, Value x, long outputs, long kernel, long stride = 1, long dilation = 1, long groups = 1, PadMode mode = PadMode.Constant, bool bias = true)
    {
        var weight = scope.Weight("weight", outputs, x.Shape[1].Size / groups, kernel);
        var offset = bias ? scope.Weight("bias", outputs) : null;
        var before = (kernel - 1) * dilation + 1 - stride;
        return mode == PadMode.Constant
            ? scope.Conv(x, weight, offset, [stride], [before], [0], [dilation], groups)
            : scope.Conv(x.Pad(-1, before, 0, mode), weight, offset, stride, 0, dilation, groups);
    }

    /// <summary>
    /// A weight-normalised weight, folded once: w = g v / |v|, the norm over all dimensions but the first. Published as <c>weight_g</c> and <c>weight_v</c>, or by newer PyTorch as <c>parametrizations.weight.original0/1</c>.
    /// </summary>
    public static Value WeightNorm(this Scope scope, params ReadOnlySpan<long> shape)
    {
        var (gain, direction) = scope.Has("parametrizations.weight.original0") && !scope.Has("weight_g") ? ("parametrizations.weight.original0", "parametrizations.weight.original1") : ("weight_g", "weight_v");
        var rows = shape[0];
        long[] gains = [rows, .. Enumerable.Repeat(1L, shape.Length - 1)];
        var g = scope.Data(gain, gains);
        var v = scope.Data(direction, shape);
        return scope.Derive("weight", shape, weight =>
        {
            var size = weight.Length / (int)rows;
            for (var row = 0; row < (int)rows; row++)
            {
                var source = v.Span<float>().Slice(row * size, size);
                var norm = Math.Sqrt(SumOfSquares(source));
                TensorPrimitives.Multiply(source, (float)(g.Span<float>()[row] / norm), weight.Slice(row * size, size));
            }
        });
    }

    /// <summary>Weight-normalised convolution; see <see cref="WeightNorm"/>.</summary>
    public static Value WeightNormConv(this Scope scope, Value x, long outputs, long kernel, long stride = 1, long padding = 0, long dilation = 1, long groups = 1, bool bias = true)
    {
        long[] kernels = [.. Enumerable.Repeat(kernel, x.Rank - 2)];
        return scope.Conv(x, scope.WeightNorm([outputs, x.Shape[1].Size / groups, .. kernels]), bias ? scope.Weight("bias", outputs) : null, stride, padding, dilation, groups);
    }

    /// <summary>Weight-normalised transposed convolution; see <see cref="WeightNorm"/>.</summary>
    public static Value WeightNormConvTranspose(this Scope scope, Value x, long outputs, long kernel, long stride = 1, long padding = 0, long outputPadding = 0, long groups = 1, bool bias = true)
    {
        long[] kernels = [.. Enumerable.Repeat(kernel, x.Rank - 2)];
        return scope.ConvTranspose(x, scope.WeightNorm([x.Shape[1].Size, outputs / groups, .. kernels]), bias ? scope.Weight("bias", outputs) : null, stride, padding, outputPadding, groups);
    }

    /// <summary>
    /// A weight divided by its largest singular value as trained: w / (u^T W v) with W (out, rest), folded once. Published as <c>weight_orig</c> (shape), <c>weight_u</c> (out) and <c>weight_v</c> (rest).
    /// </summary>
    public static Value SpectralNorm(this Scope scope, params ReadOnlySpan<long> shape)
    {
        var (rows, columns) = (shape[0], Tensor.Count(shape[1..]));
        var (original, left, right) = (scope.Data("weight_orig", shape), scope.Data("weight_u", rows), scope.Data("weight_v", columns));
        return scope.Derive("weight", shape, weight =>
        {
            ReadOnlySpan<float> source = original.Span<float>(), u = left.Span<float>(), v = right.Span<float>();
            var sigma = 0.0;
            for (var row = 0; row < (int)rows; row++) sigma += u[row] * (double)TensorPrimitives.Dot(source.Slice(row * (int)columns, (int)columns), v);
            TensorPrimitives.Divide(source, (float)sigma, weight);
        });
    }

    /// <summary>A standardised weight (Qiao et al., arXiv:1903.10520), folded once: (w - mean) / sqrt(var + eps), both over all dimensions but the first. Published as <c>weight</c>.</summary>
    public static Value StandardizedWeight(this Scope scope, ReadOnlySpan<long> shape, double epsilon = 1e-5)
    {
        var size = (int)Tensor.Count(shape[1..]);
        var original = scope.Data("weight", shape);
        return scope.Derive($"weight:standardized:{epsilon}", shape, weight =>
        {
            for (var start = 0; start < weight.Length; start += size)
            {
                var source = original.Span<float>().Slice(start, size);
                var target = weight.Slice(start, size);
                var mean = Sum(source) / size;
                TensorPrimitives.Subtract(source, (float)mean, target);
                TensorPrimitives.Divide(target, (float)Math.Sqrt(SumOfSquares(target) / size + epsilon), target);
            }
        });
    }

    /// <summary>Cuts a picture into patches and maps each: a convolution whose stride is its kernel. <c>weight</c> (width, C, P, P). x (B, C, H, W) -> (B, H/P W/P, width).</summary>
    public static Value PatchEmbed(this Scope scope, Value x, long width, long patch, bool bias = true) => scope.Conv(x, width, patch, stride: patch, bias: bias).Flatten(2).Swap(1, 2);

    private static long[] Same(int count, long value) => [.. Enumerable.Repeat(value, count)];

    // Sums in double: in float, many terms lose digits.
    private static double Sum(ReadOnlySpan<float> values)
    {
        var sum = 0.0;
        foreach (var value in values) sum += value;
        return sum;
    }

    private static double SumOfSquares(ReadOnlySpan<float> values)
    {
        var sum = 0.0;
        foreach (var value in values) sum += (double)value * value;
        return sum;
    }
}
