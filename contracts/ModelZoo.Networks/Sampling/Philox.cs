// Parallel Random Numbers: As Easy as 1, 2, 3. Salmon, Moraes, Dror, Shaw. SC 2011: Philox4x32-10.
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
            for (var i = 0; i < part.Length; i++) destination[done + i] = Uniform(part[i]);
        }
    }

    /// <summary>Standard normal numbers.</summary>
    public void FillNormal(Span<float> destination, ulong position = 0)
    {
        Span<uint> bits = stackalloc uint[256];
        for (var done = 0; done < destination.Length; done += bits.Length)
        {
            var part = bits[..Math.Min(bits.Length, destination.Length - done)];
            Fill(part, position + (ulong)done);
            for (var i = 0; i < part.Length; i++) destination[done + i] = (float)NormalDistribution.Inverse(Uniform(part[i]));
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
        const uint M0 = 0xD2511F53, M1 = 0xCD9E8D57, W0 = 0x9E3779B9, W1 = 0xBB67AE85;
        var (c0, c1, c2, c3) = ((uint)index, (uint)(index >> 32), (uint)stream, (uint)(stream >> 32));
        var (k0, k1) = ((uint)seed, (uint)(seed >> 32));
        for (var round = 0; round < 10; round++)
        {
            var (p0, p1) = ((ulong)M0 * c0, (ulong)M1 * c2);
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += W0;
            k1 += W1;
        }

        (result[0], result[1], result[2], result[3]) = (c0, c1, c2, c3);
    }

    private static double Uniform(uint bits) => (bits + 0.5) * (1.0 / 4294967296.0);
}
