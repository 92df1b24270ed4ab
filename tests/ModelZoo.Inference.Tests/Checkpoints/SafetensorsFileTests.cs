using System.Buffers.Binary;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Checkpoints;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.safetensors");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Write_ReadBack_GivesTheSameTensorsMapped()
    {
        var tensors = new Dictionary<string, Tensor>
        {
            ["flags"] = Tensor.Create([true, false, true], 3),
            ["a"] = Tensor.Create([1f, 2, 3, 4, 5, 6], 2, 3),
            ["é"] = Tensor.Create([1L << 40], 1),
            ["half"] = Tensor.Create([(Half)1.5], 1, 1),
            ["empty"] = Tensor.Zeros<double>(0, 4),
        };
        SafetensorsWriter.Write(_path, tensors, new Dictionary<string, string> { ["format"] = "pt" });

        using var checkpoint = Checkpoint.Open(_path);

        Assert.Equal(tensors.Keys.Order(), checkpoint.Tensors.Select(t => t.Name).Order());
        foreach (var (name, tensor) in tensors)
        {
            var data = checkpoint.Get(name);
            Assert.True(data.IsMapped);
            Assert.Equal(tensor.ToString(), data.ToString());
            Assert.Equal(tensor.Bytes.ToArray(), WeightConversion.ToTensor(data).Bytes.ToArray());
        }
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, null)]
    [InlineData("""{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", 4, null)]
    [InlineData("""{}""", 0, null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}}""", 8, "reaches outside")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "another number of bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}""", 8, "another number of bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "a gap before")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "overlaps another")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "a gap before")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 12, "does not end with")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "there twice")]
    [InlineData("""{"a":{"dtype":"F3","shape":[2],"data_offsets":[0,8]}}""", 8, "not supported")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "negative")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "format says")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", 8, "lacks")]
    [InlineData("""{"a":{"dtype":"F32","shape":[[[[2]]]],"data_offsets":[0,8]}}""", 8, "format says")]
    [InlineData("""{"a":7}""", 8, "format says")]
    [InlineData("""{"a":""", 8, "format says")]
    [InlineData("""{} {}""", 0, "format says")]
    public void Open_Header_IsChecked(string header, int bytes, string? problem)
    {
        Write(Encoding.UTF8.GetBytes(header), (ulong)header.Length, bytes);

        if (problem is null)
        {
            using var checkpoint = Checkpoint.Open(_path);
            foreach (var tensor in checkpoint.Tensors) _ = checkpoint.Get(tensor.Name).Span<float>()[0];
        }
        else
        {
            var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(_path));
            Assert.Equal(ErrorCodes.CheckpointMalformed, error.Code);
            Assert.Contains(problem, error.Message);
        }
    }

    [Theory]
    [InlineData(3ul)]
    [InlineData(200ul)]
    [InlineData(99_999_999ul)]
    [InlineData(ulong.MaxValue)]
    public void Open_HeaderLengthThatCannotBe_IsMalformed(ulong length)
    {
        Write("{\"a\":{}}"u8, length, 0);

        Assert.Equal(ErrorCodes.CheckpointMalformed, Assert.Throws<CheckpointException>(() => Checkpoint.Open(_path)).Code);
    }

    private void Write(ReadOnlySpan<byte> header, ulong length, int bytes)
    {
        var file = new byte[8 + header.Length + bytes];
        BinaryPrimitives.WriteUInt64LittleEndian(file, length);
        header.CopyTo(file.AsSpan(8));
        File.WriteAllBytes(_path, file);
    }
}
