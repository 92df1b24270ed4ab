using BenchmarkDotNet.Attributes;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Benchmarks;

/// <summary>Draws of the project's generator, a million at a time.</summary>
[MemoryDiagnoser]
public class RandomNumbers
{
    private readonly uint[] _bits = new uint[1 << 20];
    private readonly double[] _uniform = new double[1 << 20];
    private readonly float[] _normal = new float[1 << 20];

    /// <summary>Random bits, block by block: what <see cref="Bits"/> is measured against.</summary>
    [Benchmark(Baseline = true)]
    public void Blocks()
    {
        var generator = new Philox(1);
        for (var i = 0; i < _bits.Length; i += 4) generator.Block((ulong)i / 4, _bits.AsSpan(i, 4));
    }

    /// <summary>Random bits.</summary>
    [Benchmark]
    public void Bits() => new Philox(1).Fill(_bits);

    /// <summary>Uniform numbers.</summary>
    [Benchmark]
    public void Uniform() => new Philox(1).FillUniform(_uniform);

    /// <summary>Normal numbers.</summary>
    [Benchmark]
    public void Normal() => new Philox(1).FillNormal(_normal);
}
