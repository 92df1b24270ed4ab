using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Runtime;

/// <summary>No weight is held twice: what the engine packs leaves the process's memory.</summary>
public sealed class WeightMemoryTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>
{
    private const int Width = 1024;

    private readonly InferenceRuntime _runtime = fixture.Runtime;

    [Fact]
    public void CreateSession_MappedWeightsThatArePacked_LeaveMemory()
    {
        using var file = new MatrixFile();
        using var checkpoint = Checkpoint.Open(file.Path);

        using var session = _runtime.CreateSession(SmallGraphs.Linear(checkpoint.Get("w")));

        if (OperatingSystem.IsLinux()) Assert.InRange(ResidentKilobytes(file.Path), 0, 256);
        Assert.Equal(file.Sums, Run(session));
    }

    [Fact]
    public void CreateSession_MappedWeightsThatAreReadInPlace_StayMapped()
    {
        using var file = new MatrixFile();
        using var checkpoint = Checkpoint.Open(file.Path);

        using var session = _runtime.CreateSession(SmallGraphs.Linear(checkpoint.Get("w")), new() { Prepack = false });

        Assert.Equal(file.Sums, Run(session));
        if (OperatingSystem.IsLinux()) Assert.InRange(ResidentKilobytes(file.Path), 4 * Width * Width / 1024, int.MaxValue);
    }

    [Fact]
    public void LeaveMemory_OfAMappedWeight_LosesNothing()
    {
        using var file = new MatrixFile();
        using var checkpoint = Checkpoint.Open(file.Path);
        var before = checkpoint.Get("w").Span<float>().ToArray();

        checkpoint.Get("w").LeaveMemory();

        Assert.True(checkpoint.Get("w").Span<float>().SequenceEqual(before));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void CreateSession_WeightsInArrays_AreKeptForAsLongAsTheyAreRead(bool packed)
    {
        using var session = CreateOverArray(packed, out var array);

        GC.Collect();

        Assert.Equal(!packed, array.IsAlive);
        Assert.Equal(3 * Width, Run(session)[0]);
    }

    [Fact]
    public void Dispose_SessionOverWeightsInArrays_LetsThemGo()
    {
        CreateOverArray(packed: false, out var array).Dispose();

        GC.Collect();

        Assert.False(array.IsAlive);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Session CreateOverArray(bool packed, out WeakReference array)
    {
        var weight = WeightData.Create<float>([Width, Width], values => values.Fill(3));
        array = new(weight);
        return _runtime.CreateSession(SmallGraphs.Linear(weight), new() { Prepack = packed });
    }

    // The sums of the columns.
    private static float[] Run(Session session)
    {
        var ones = Tensor.Zeros<float>(1, Width);
        ones.Span.Fill(1);
        return session.Run(new Dictionary<string, Tensor> { ["x"] = ones })["y"].As<float>().Span.ToArray();
    }

    private static int ResidentKilobytes(string path)
    {
        var (inside, sum) = (false, 0);
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.Length > 8 && line.IndexOf('-') is > 0 and < 17) inside = line.EndsWith(path, StringComparison.Ordinal);
            else if (inside && line.StartsWith("Rss:", StringComparison.Ordinal)) sum += int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
        }

        return sum;
    }

    private sealed class MatrixFile : IDisposable
    {
        public MatrixFile()
        {
            var values = new float[Width * Width];
            for (var i = 0; i < values.Length; i++) Sums[i % Width] += values[i] = i % 7;
            SafetensorsWriter.Write(Path, new Dictionary<string, Tensor> { ["w"] = Tensor.Create(values, Width, Width) });
        }

        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"{Guid.NewGuid():N}.safetensors");

        public float[] Sums { get; } = new float[Width];

        public void Dispose() => File.Delete(Path);
    }
}
