// The layouts of github.com/ggml-org/ggml, ggml-common.h and ggml-quants.c.
using System.Runtime.InteropServices;

namespace ModelZoo.Inference.Gguf;

/// <summary>The numbers of quantised blocks. A number is a code times the block's scale; kinds with a minimum add that.</summary>
internal static class GgufBlocks
{
    private const int HalfBlock = 16;

    // What the codes of IQ4 kinds stand for: finer near zero, where most weights are.
    private static ReadOnlySpan<sbyte> Levels => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    // scale, 16 bytes: the lower four bits are the first half of the block.
    public static void Q40(ReadOnlySpan<byte> block, Span<float> numbers) => Nibbles(block[2..], [], numbers, Scale(block), -8 * Scale(block));

    // scale, minimum, 16 bytes.
    public static void Q41(ReadOnlySpan<byte> block, Span<float> numbers) => Nibbles(block[4..], [], numbers, Scale(block), Scale(block[2..]));

    // scale, a fifth bit for each number, 16 bytes.
    public static void Q50(ReadOnlySpan<byte> block, Span<float> numbers) => Nibbles(block[6..], block.Slice(2, 4), numbers, Scale(block), -16 * Scale(block));

    // scale, minimum, a fifth bit for each number, 16 bytes.
    public static void Q51(ReadOnlySpan<byte> block, Span<float> numbers) => Nibbles(block[8..], block.Slice(4, 4), numbers, Scale(block), Scale(block[2..]));

    // scale, 32 signed bytes.
    public static void Q80(ReadOnlySpan<byte> block, Span<float> numbers)
    {
        var scale = Scale(block);
        for (var i = 0; i < numbers.Length; i++) numbers[i] = scale * (sbyte)block[2 + i];
    }

    // 16 bytes with a scale (lower bits) and a minimum for 16 numbers each, 64 bytes of two-bit codes, scale of scales, scale of minimums.
    public static void Q2K(ReadOnlySpan<byte> block, Span<float> numbers)
    {
        var (scale, minimum) = (Scale(block[80..]), Scale(block[82..]));
        for (var i = 0; i < numbers.Length; i++) numbers[i] = scale * (block[i / 16] & 15) * Pair(block[16..], i) - minimum * (block[i / 16] >> 4);
    }

    // A third bit for each number (bit p of byte i belongs to number i of row p), 64 bytes of two-bit codes, scales of 16 numbers each (lower four bits in 8 bytes, upper two in 4), scale of scales.
    public static void Q3K(ReadOnlySpan<byte> block, Span<float> numbers)
    {
        var scale = Scale(block[108..]);
        var packed = block.Slice(96, 12);
        for (var part = 0; part < 16; part++)
        {
            var step = scale * ((packed[part % 8] >> (part / 8 * 4) & 15 | (packed[8 + part % 4] >> (part / 4 * 2) & 3) << 4) - 32);
            for (var i = part * 16; i < part * 16 + 16; i++) numbers[i] = step * ((Pair(block[32..], i) | (block[i % 32] >> (i / 32) & 1) << 2) - 4);
        }
    }

    // scale, 16 bytes: as Q4_0, of levels.
    public static void Iq4Nl(ReadOnlySpan<byte> block, Span<float> numbers) => LevelsOf(block[2..], numbers, Scale(block));

    // scale of scales, six bits of scale for eight parts of 32 numbers (upper two in 2 bytes, lower four in 4), 16 bytes a part as in IQ4_NL.
    public static void Iq4Xs(ReadOnlySpan<byte> block, Span<float> numbers)
    {
        for (var part = 0; part < 8; part++)
        {
            var step = block[4 + part / 2] >> (part % 2 * 4) & 15 | (block[2 + part / 4] >> (part % 4 * 2) & 3) << 4;
            LevelsOf(block.Slice(8 + part * HalfBlock, HalfBlock), numbers.Slice(part * 32, 32), Scale(block) * (step - 32));
        }
    }

    // scale of scales, scale of minimums, 12 bytes of both for eight parts of 32 numbers, 128 bytes: the lower four bits are an even part, the upper four the odd one after it.
    public static void Q4K(ReadOnlySpan<byte> block, Span<float> numbers) => Parts(block, block[16..], [], numbers);

    // As Q4_K, with a fifth bit for each number: bit p of byte i belongs to number i of part p.
    public static void Q5K(ReadOnlySpan<byte> block, Span<float> numbers) => Parts(block, block[48..], block.Slice(16, 32), numbers);

    // 128 bytes of lower four bits, 64 of upper two, 16 signed scales of 16 numbers each, scale of scales. Each half of the block is four rows of 32 numbers: rows 0 and 1 have the lower bits of 64 bytes, rows 2 and 3 the upper.
    public static void Q6K(ReadOnlySpan<byte> block, Span<float> numbers)
    {
        var scale = Scale(block[208..]);
        for (var i = 0; i < numbers.Length; i++)
        {
            var (half, row, column) = (i / 128, i / 32 % 4, i % 32);
            var lower = block[half * 64 + row % 2 * 32 + column] >> (row / 2 * 4) & 15;
            var upper = block[128 + half * 32 + column] >> (row * 2) & 3;
            numbers[i] = scale * (sbyte)block[192 + i / 16] * ((lower | upper << 4) - 32);
        }
    }

    // Two bits of number i: each half of the block is four rows of 32 numbers, which share 32 bytes.
    private static int Pair(ReadOnlySpan<byte> codes, int i) => codes[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;

    private static void LevelsOf(ReadOnlySpan<byte> codes, Span<float> numbers, float scale)
    {
        for (var i = 0; i < numbers.Length; i++) numbers[i] = scale * Levels[codes[i % HalfBlock] >> (i / HalfBlock * 4) & 15];
    }

    private static void Nibbles(ReadOnlySpan<byte> codes, ReadOnlySpan<byte> fifths, Span<float> numbers, float scale, float offset)
    {
        for (var i = 0; i < numbers.Length; i++)
        {
            var code = codes[i % HalfBlock] >> (i / HalfBlock * 4) & 15;
            if (fifths.Length > 0) code |= (fifths[i / 8] >> (i % 8) & 1) << 4;
            numbers[i] = code * scale + offset;
        }
    }

    private static void Parts(ReadOnlySpan<byte> block, ReadOnlySpan<byte> codes, ReadOnlySpan<byte> fifths, Span<float> numbers)
    {
        var (scale, minimum) = (Scale(block), Scale(block[2..]));
        var packed = block.Slice(4, 12);
        for (var part = 0; part < 8; part++)
        {
            // Six bits each: parts 0 to 3 have bytes of their own, the others four bits in a byte of both and two on top of those.
            var (step, least) = part < 4
                ? (packed[part] & 63, packed[part + 4] & 63)
                : (packed[part + 4] & 15 | packed[part - 4] >> 6 << 4, packed[part + 4] >> 4 | packed[part] >> 6 << 4);
            for (var i = 0; i < 32; i++)
            {
                var code = codes[part / 2 * 32 + i] >> (part % 2 * 4) & 15;
                if (fifths.Length > 0) code |= (fifths[i] >> part & 1) << 4;
                numbers[part * 32 + i] = scale * step * code - minimum * least;
            }
        }
    }

    private static float Scale(ReadOnlySpan<byte> bytes) => (float)MemoryMarshal.Read<Half>(bytes);
}
