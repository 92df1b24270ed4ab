using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Networks.Tests.Numerics;

public sealed class MarchingCubesTests
{
    [Fact]
    public void Extract_Sphere_HasItsAreaAndVolume()
    {
        const int Size = 40;
        const double Radius = 15;
        var volume = Tensor.Zeros<float>(Size, Size, Size);
        for (var z = 0; z < Size; z++)
        {
            for (var y = 0; y < Size; y++)
            {
                for (var x = 0; x < Size; x++) volume[z, y, x] = (float)(Radius - new Vector3D(x - 19.5, y - 19.5, z - 19.5).Length);
            }
        }

        var (vertices, faces) = new MarchingCubes().Extract(volume, 0);
        Assert.InRange(MarchingCubes.Area(vertices, faces) / (4 * Math.PI * Radius * Radius), 0.99, 1.01);
        Assert.InRange(Math.Abs(MarchingCubes.Volume(vertices, faces)) / (4 * Math.PI / 3 * Math.Pow(Radius, 3)), 0.99, 1.01);
        Assert.Equal(2, vertices.Length - faces.Length * 3 / 2 + faces.Length);
    }

    // Lewiner's guarantee: every edge inside a volume of noise belongs to exactly two triangles, which pass it in opposite directions.
    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    public void Extract_NoiseWithinABorder_IsClosed(ulong seed)
    {
        const int Size = 14;
        var noise = Noise.Normal(seed, 1, Size, Size, Size).Slice(0);
        for (var i = 0; i < noise.Length; i++)
        {
            var (z, y, x) = (i / (Size * Size), i / Size % Size, i % Size);
            if (new[] { x, y, z }.Any(c => c is 0 or Size - 1)) noise.Span[i] = -1;
        }

        var (_, faces) = new MarchingCubes().Extract(noise, 0);
        var edges = faces.SelectMany(f => new[] { (f[0], f[1]), (f[1], f[2]), (f[2], f[0]) }).ToList();
        Assert.All(edges.GroupBy(edge => (Math.Min(edge.Item1, edge.Item2), Math.Max(edge.Item1, edge.Item2))), group => Assert.Equal(group.Count(), 2 * group.Count(edge => edge.Item1 < edge.Item2)));
    }

    [Fact]
    public void Extract_LevelOutsideTheVolume_IsRefused() => Assert.Throws<ArgumentException>(() => new MarchingCubes().Extract(Tensor.Zeros<float>(2, 2, 2), 1));
}
