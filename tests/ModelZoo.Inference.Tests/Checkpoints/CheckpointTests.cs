using System.Security.Cryptography;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Checkpoints;

public sealed class CheckpointTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Open_FolderWithShards_JoinsThem()
    {
        Write("model-1.safetensors", ("a", 1));
        Write("model-2.safetensors", ("b", 2));
        File.WriteAllText(Path.Combine(_folder, "model.safetensors.index.json"), """{ "metadata": {}, "weight_map": { "a": "model-1.safetensors", "b": "model-2.safetensors" } }""");

        using var checkpoint = Checkpoint.Open(_folder);

        Assert.Equal(["a", "b"], checkpoint.Tensors.Select(t => t.Name));
        Assert.Equal(2, checkpoint.Get("b").Span<float>()[0]);
        Assert.Equal(2, checkpoint.Files.Count);
    }

    [Theory]
    [InlineData("../outside.safetensors", ErrorCodes.CheckpointMalformed)]
    [InlineData("/etc/passwd", ErrorCodes.CheckpointMalformed)]
    [InlineData("model-9.safetensors", ErrorCodes.CheckpointMissing)]
    public void Open_IndexThatNamesAnotherPlace_IsRefused(string shard, string code)
    {
        File.WriteAllText(Path.Combine(_folder, "model.safetensors.index.json"), $$"""{ "weight_map": { "a": "{{shard}}" } }""");

        Assert.Equal(code, Assert.Throws<CheckpointException>(() => Checkpoint.Open(_folder)).Code);
    }

    [Fact]
    public void Open_SeveralCandidates_AsksForOne()
    {
        Write("a.safetensors", ("a", 1));
        Write("b.safetensors", ("b", 2));

        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(_folder));

        Assert.Equal("a.safetensors, b.safetensors", error.Found);
    }

    [Fact]
    public void Open_PartsWithPrefixes_KeepsThemApart()
    {
        var (a, b) = (Write("a.safetensors", ("w", 1)), Write("b.safetensors", ("w", 2)));

        using var checkpoint = Checkpoint.Open([new(a, Prefix: "vae."), new(b, Prefix: "dit.")]);

        Assert.Equal(1, checkpoint.Get("vae.w").Span<float>()[0]);
        Assert.Equal(2, checkpoint.Get("dit.w").Span<float>()[0]);
        Assert.Throws<CheckpointException>(() => Checkpoint.Open([new CheckpointPart(a), new CheckpointPart(b)]));
    }

    [Fact]
    public void ThrowIfUnused_TensorsNobodyAskedFor_AreListedUnlessIgnored()
    {
        using var checkpoint = Checkpoint.Open(Write("a.safetensors", ("used", 1), ("extra", 2), ("bn.num_batches_tracked", 3)));
        checkpoint.Find("used");

        var error = Assert.Throws<CheckpointException>(() => checkpoint.ThrowIfUnused());

        Assert.Equal(ErrorCodes.CheckpointTensorUnused, error.Code);
        Assert.Contains("1 more: extra [1]", error.Found);
        checkpoint.ThrowIfUnused("^extra$");
    }

    [Fact]
    public void Get_TensorThatIsNotThere_SaysWhatIs()
    {
        using var checkpoint = Checkpoint.Open(Write("a.safetensors", ("weight", 1)));

        var error = Assert.Throws<CheckpointException>(() => checkpoint.Get("bias"));

        Assert.Equal((ErrorCodes.CheckpointTensorMissing, "bias"), (error.Code, error.Expected));
        Assert.Contains("weight", error.Found);
    }

    [Fact]
    public void Digest_OfOneFile_IsItsSha256()
    {
        var path = Write("a.safetensors", ("w", 1));
        using var checkpoint = Checkpoint.Open(path);

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path))), checkpoint.Digest);
    }

    [Fact]
    public void Open_Nothing_SaysSo() =>
        Assert.Equal(ErrorCodes.CheckpointMissing, Assert.Throws<CheckpointException>(() => Checkpoint.Open(Path.Combine(_folder, "none.pt"))).Code);

    [Fact]
    public void Get_AfterTheCheckpointIsDisposed_WeightsInUseStayMapped()
    {
        WeightData weight;
        using (var checkpoint = Checkpoint.Open(Write("a.safetensors", ("w", 42)))) weight = checkpoint.Get("w");
        GC.Collect();
        GC.WaitForPendingFinalizers();

        Assert.True(weight.IsMapped);
        Assert.Equal(42, weight.Span<float>()[0]);
    }

    private string Write(string name, params (string Name, float Value)[] tensors)
    {
        var path = Path.Combine(_folder, name);
        SafetensorsWriter.Write(path, tensors.ToDictionary(t => t.Name, t => (Tensor)Tensor.Create([t.Value], 1)));
        return path;
    }
}
