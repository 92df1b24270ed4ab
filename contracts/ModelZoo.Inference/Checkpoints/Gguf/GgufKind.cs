// The layouts of github.com/ggml-org/ggml, ggml-common.h and ggml-quants.c.
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Gguf;

/// <summary>How the numbers of a tensor are stored: in a type of elements, or in blocks that share scales.</summary>
/// <param name="Type">Number of the kind in the format.</param>
/// <param name="Name">Its name.</param>
/// <param name="BlockSize">Numbers in a block.</param>
/// <param name="BlockBytes">Bytes of a block.</param>
/// <param name="Element">The type of elements that are used in place; null for blocks.</param>
/// <param name="Expand">Writes the numbers of one block.</param>
internal sealed record GgufKind(uint Type, string Name, int BlockSize, int BlockBytes, ElementType? Element, GgufKind.Expansion? Expand = null)
{
    /// <summary>Writes the numbers of a block.</summary>
    public delegate void Expansion(ReadOnlySpan<byte> block, Span<float> numbers);

    private static readonly GgufKind[] All =
    [
        new(0, "F32", 1, 4, ElementType.Float32), new(1, "F16", 1, 2, ElementType.Float16), new(30, "BF16", 1, 2, ElementType.BFloat16), new(28, "F64", 1, 8, ElementType.Float64),
        new(24, "I8", 1, 1, ElementType.Int8), new(25, "I16", 1, 2, ElementType.Int16), new(26, "I32", 1, 4, ElementType.Int32), new(27, "I64", 1, 8, ElementType.Int64),
        new(2, "Q4_0", 32, 18, null, GgufBlocks.Q40), new(3, "Q4_1", 32, 20, null, GgufBlocks.Q41), new(6, "Q5_0", 32, 22, null, GgufBlocks.Q50), new(7, "Q5_1", 32, 24, null, GgufBlocks.Q51),
        new(8, "Q8_0", 32, 34, null, GgufBlocks.Q80), new(10, "Q2_K", 256, 84, null, GgufBlocks.Q2K), new(11, "Q3_K", 256, 110, null, GgufBlocks.Q3K),
        new(12, "Q4_K", 256, 144, null, GgufBlocks.Q4K), new(13, "Q5_K", 256, 176, null, GgufBlocks.Q5K), new(14, "Q6_K", 256, 210, null, GgufBlocks.Q6K),
        new(20, "IQ4_NL", 32, 18, null, GgufBlocks.Iq4Nl), new(23, "IQ4_XS", 256, 136, null, GgufBlocks.Iq4Xs),
    ];

    /// <summary>The names of all kinds.</summary>
    public static string Names => string.Join(", ", All.Select(kind => kind.Name));

    /// <summary>The kind of that number; null when it is not supported.</summary>
    public static GgufKind? Of(uint type) => Array.Find(All, kind => kind.Type == type);

    /// <summary>Bytes of a tensor; null when its rows are no whole number of blocks, or when there is no such size.</summary>
    public long? BytesOf(long[] shape)
    {
        if (shape.Length > 0 && shape[^1] % BlockSize != 0 || shape.Length == 0 && BlockSize > 1) return null;
        var count = (Int128)1;
        foreach (var extent in shape)
        {
            count *= extent;
            if (count > long.MaxValue / 8) return null;
        }

        return (long)count / BlockSize * BlockBytes;
    }

    /// <summary>The tensor, whose bytes are there.</summary>
    public StoredTensor Stored(string name, long[] shape, ByteBlock bytes) => Element is { } element
        ? StoredTensor.InPlace(name, element, shape, bytes, 0)
        : new(new(name, ElementType.Float32, [.. shape]), () => Expanded(shape, bytes));

    // On all cores, some thousand blocks at a time.
    private WeightData Expanded(long[] shape, ByteBlock bytes)
    {
        const int Together = 4096;
        var numbers = GC.AllocateUninitializedArray<float>(checked((int)Tensor.Count(shape)), pinned: true);
        var blocks = numbers.Length / BlockSize;
        Parallel.For(0, (blocks + Together - 1) / Together, part =>
        {
            for (var block = part * Together; block < Math.Min(blocks, (part + 1) * Together); block++)
                Expand!(bytes.Span((long)block * BlockBytes, BlockBytes), numbers.AsSpan(block * BlockSize, BlockSize));
        });
        return WeightData.Pinned(numbers, shape);
    }
}
