using System.Numerics.Tensors;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>Linear maps whose weights are kept in 8 or 4 bits (ONNX Runtime's MatMulNBits): a whole number for each, and a scale for every 32 along a row.</summary>
internal static class QuantizedLinear
{
    private const int Block = 32;

    /// <summary>x W^T + b, or x W + b for weights that are stored (in, out); null when the graph wants floats or the map is too narrow. x (N, in), weight (out, in) or (in, out).</summary>
    public static Value? Linear(Scope scope, Value x, Value weight, Value? bias, bool inOut)
    {
        var bits = scope.Graph.Precision switch { WeightPrecision.Int8 => 8, WeightPrecision.Int4 => 4, _ => 0 };
        var (outputs, inputs) = inOut ? (weight.Shape[1].Size, weight.Shape[0].Size) : (weight.Shape[0].Size, weight.Shape[1].Size);
        if (bits == 0 || scope.IsInventory || inputs % Block != 0 || scope.Graph.WeightOf(weight) is not { Address: not 0 } data) return null;

        var (key, blocks) = ($"{data.Address}:{data}:{bits} bits{(inOut ? ", turned" : "")}", inputs / Block);
        var scales = scope.Source.Derive($"{key}:scales", () => WeightData.Create<float>([outputs * blocks], result => Scales(data, result, bits, inOut)));
        var codes = scope.Source.Derive($"{key}:codes", () => WeightData.Create<byte>([outputs, blocks, Block * bits / 8], result => Codes(data, scales, result, bits, inOut)));
        return scope.Node("com.microsoft:MatMulNBits",
            [x, scope.Graph.Weight($"{weight.Name}:{bits} bits", codes, scope.Path), scope.Graph.Weight($"{weight.Name}:scales", scales, scope.Path), null, null, bias], [x.Shape[0], outputs],
            ("K", inputs), ("N", outputs), ("bits", (long)bits), ("block_size", (long)Block), ("accuracy_level", 4L));
    }

    // The number of the largest magnitude takes the code at the end of its side: there is one more code below zero than above.
    private static void Scales(WeightData weight, Span<float> scales, int bits, bool inOut)
    {
        Span<float> block = stackalloc float[Block];
        for (var i = 0; i < scales.Length; i++)
        {
            Read(weight, i, block, inOut);
            scales[i] = -TensorPrimitives.MaxMagnitude<float>(block) / (1 << (bits - 1));
        }
    }

    private static void Codes(WeightData weight, WeightData scales, Span<byte> codes, int bits, bool inOut)
    {
        Span<float> block = stackalloc float[Block];
        var (zero, perByte) = (1 << (bits - 1), 8 / bits);
        codes.Clear();
        for (var i = 0; i < scales.Count; i++)
        {
            Read(weight, i, block, inOut);
            var scale = scales.Span<float>()[i];
            for (var at = 0; at < Block; at++)
            {
                var code = scale == 0 ? zero : Math.Clamp((int)MathF.Round(block[at] / scale) + zero, 0, 2 * zero - 1);
                codes[(i * Block + at) / perByte] |= (byte)(code << (at % perByte * bits));
            }
        }
    }

    // The i-th 32 weights, counted along the inputs of one output after the other.
    private static void Read(WeightData weight, int i, Span<float> block, bool inOut)
    {
        var numbers = weight.Span<float>();
        if (!inOut)
        {
            numbers.Slice(i * Block, Block).CopyTo(block);
            return;
        }

        var (inputs, outputs) = ((int)weight.Shape[0], (int)weight.Shape[1]);
        var (output, first) = Math.DivRem(i * Block, inputs);
        for (var at = 0; at < Block; at++) block[at] = numbers[(first + at) * outputs + output];
    }
}
