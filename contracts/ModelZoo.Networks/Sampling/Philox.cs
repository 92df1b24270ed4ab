// Parallel Random Numbers: As Easy as 1, 2, 3. Salmon, Moraes, Dror, Shaw. SC 2011: Philox4x32-10.
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Sampling;

/// <summary>
/// The project's one generator: Philox4x32-10. A number depends on seed, stream and position alone, so a sample's draws are the same alone or in a batch, on any number of threads and on any machine.
/// Normal draws are the inverse normal distribution of 32-bit uniforms, computed with additions, multiplications, divisions and square roots only, which IEEE 754 fixes to the last bit.
/// </summary>
/// <param name="seed">The key.</param>
/// <param name="stream">The upper half of the counter: one stream a sample, a draw, a request.</param>
public readonly struct Philox(ulong seed, ulong stream = 0)
{
    private const uint M0 = 0xD2511F53, M1 = 0xCD9E8D57, W0 = 0x9E3779B9, W1 = 0xBB67AE85;
    private const int Rounds = 10;

    /// <summary>Name and version, for replayable results. A change of any draw changes the version.</summary>
    public const string Name = "philox4x32-10/1";

    /// <summary>The stream of a sample's n-th draw.</summary>
    public static Philox Of(ulong seed, int sample, int draw) => new(seed, ((ulong)(uint)draw << 32) | (uint)sample);

    /// <summary>Random bits from position <paramref name="position"/> on.</summary>
    public void Fill(Span<uint> destination, ulong position = 0)
    {
        Span<uint> block = stackalloc uint[4];
        var i = 0;
        while (i < destination.Length)
        {
            var at = position + (ulong)i;
            if (at % 4 == 0 && destination.Length - i >= Wide)
            {
                var whole = (destination.Length - i) / Wide * Wide;
                FillBlocks(destination.Slice(i, whole), at / 4);
                i += whole;
                continue;
            }

            Block(at / 4, block);
            for (var lane = (int)(at % 4); lane < 4 && i < destination.Length; lane++) destination[i++] = block[lane];
        }
    }

    /// <summary>Uniform numbers in (0, 1): the middles of 2^32 equal parts.</summary>
    public void FillUniform(Span<double> destination, ulong position = 0)
    {
        Span<uint> bits = stackalloc uint[256];
        for (var done = 0; done < destination.Length; done += bits.Length)
        {
            var part = bits[..Math.Min(bits.Length, destination.Length - done)];
            Fill(part, position + (ulong)done);
            TensorPrimitives.ConvertTruncating<uint, double>(part, destination[done..]);
            for (var i = 0; i < part.Length; i++) destination[done + i] = (destination[done + i] + 0.5) * (1.0 / 4294967296.0);
        }
    }

    /// <summary>Standard normal numbers.</summary>
    public void FillNormal(Span<float> destination, ulong position = 0)
    {
        Span<double> part = stackalloc double[256];
        for (var done = 0; done < destination.Length; done += part.Length)
        {
            if (destination.Length - done < part.Length) part = part[..(destination.Length - done)];
            FillUniform(part, position + (ulong)done);
            NormalDistribution.Inverse(part);
            TensorPrimitives.ConvertTruncating<double, float>(part, destination[done..]);
        }
    }

    /// <summary>The uniform number at a position.</summary>
    public double Uniform(ulong position)
    {
        Span<uint> block = stackalloc uint[4];
        Block(position / 4, block);
        return Uniform(block[(int)(position % 4)]);
    }

    /// <summary>The generator itself: ten rounds over a counter of (block, stream).</summary>
    public void Block(ulong index, Span<uint> result)
    {
        var (c0, c1, c2, c3) = ((uint)index, (uint)(index >> 32), (uint)stream, (uint)(stream >> 32));
        var (k0, k1) = ((uint)seed, (uint)(seed >> 32));
        for (var round = 0; round < Rounds; round++)
        {
            var (p0, p1) = ((ulong)M0 * c0, (ulong)M1 * c2);
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += W0;
            k1 += W1;
        }

        (result[0], result[1], result[2], result[3]) = (c0, c1, c2, c3);
    }

    // Two groups of four blocks side by side, each number in the lower half of 64 bits; what is left in the upper half no product sees.
    private const int Wide = 32;

    private void FillBlocks(Span<uint> destination, ulong index)
    {
        var (m0, m1, k0, k1) = (Vector256.Create((ulong)M0), Vector256.Create((ulong)M1), (uint)seed, (uint)(seed >> 32));
        var pairs = MemoryMarshal.Cast<uint, ulong>(destination);
        for (; pairs.Length > 0; pairs = pairs[(Wide / 2)..], index += Wide / 4)
        {
            var (a0, b0) = (Vector256.Create(index) + Vector256.Create(0ul, 1, 2, 3), Vector256.Create(index) + Vector256.Create(4ul, 5, 6, 7));
            var (a1, b1, a2, a3) = (a0 >> 32, b0 >> 32, Vector256.Create(stream), Vector256.Create(stream >> 32));
            var (b2, b3, round0, round1) = (a2, a3, k0, k1);
            for (var round = 0; round < Rounds; round++, round0 += W0, round1 += W1)
            {
                var (key0, key1) = (Vector256.Create((ulong)round0), Vector256.Create((ulong)round1));
                var (pa0, pa1, pb0, pb1) = (Product(a0, m0), Product(a2, m1), Product(b0, m0), Product(b2, m1));
                (a0, a1, a2, a3) = ((pa1 >> 32) ^ a1 ^ key0, pa1, (pa0 >> 32) ^ a3 ^ key1, pa0);
                (b0, b1, b2, b3) = ((pb1 >> 32) ^ b1 ^ key0, pb1, (pb0 >> 32) ^ b3 ^ key1, pb0);
            }

            Store(pairs, a0, a1, a2, a3);
            Store(pairs[8..], b0, b1, b2, b3);
        }
    }

    private static void Store(Span<ulong> pairs, Vector256<ulong> c0, Vector256<ulong> c1, Vector256<ulong> c2, Vector256<ulong> c3)
    {
        var (first, second) = (Low(c0) | (c1 << 32), Low(c2) | (c3 << 32));
        for (var block = 0; block < 4; block++) (pairs[2 * block], pairs[2 * block + 1]) = (first[block], second[block]);
    }

    // Of the lower halves, to 64 bits.
    private static Vector256<ulong> Product(Vector256<ulong> a, Vector256<ulong> b) => Avx2.IsSupported ? Avx2.Multiply(a.AsUInt32(), b.AsUInt32()) : Low(a) * b;

    private static Vector256<ulong> Low(Vector256<ulong> x) => x & Vector256.Create((ulong)uint.MaxValue);

    private static double Uniform(uint bits) => (bits + 0.5) * (1.0 / 4294967296.0);
}
