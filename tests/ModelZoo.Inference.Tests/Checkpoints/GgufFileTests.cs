using ModelZoo.Contracts;
using ModelZoo.Inference.Gguf;

namespace ModelZoo.Inference.Tests.Checkpoints;

public sealed class GgufFileTests
{
    [Fact]
    public void Read_PlainTypes_AreUsedInPlaceWithTheOutermostExtentFirst()
    {
        var file = Block(GgufBytes.Make([("general.name", 8, "tiny"), ("block.count", 4, 7u), ("scale", 6, 0.5f), ("flag", 7, true), ("names", 9, new[] { "a", "é" })],
            ("a.weight", 0, [3, 2], Floats(1, 2, 3, 4, 5, 6)), ("half", 1, [2], Bytes((Half)1.5, (Half)(-2))), ("brain", 30, [1], [0x80, 0x3f]), ("ids", 27, [1], BitConverter.GetBytes(9L))));

        var gguf = GgufFile.Read(file);

        Assert.Equal(["tiny", 7L, 0.5, true], [gguf.Values["general.name"]!, gguf.Values["block.count"]!, gguf.Values["scale"]!, gguf.Values["flag"]!]);
        Assert.Equal(new object[] { "a", "é" }, gguf.Values["names"]);
        Assert.Equal(["Float32[2, 3]", "Float16[2]", "BFloat16[1]", "Int64[1]"], gguf.Tensors.Select(tensor => tensor.Data.ToString()));
        Assert.Equal([1f, 2, 3, 4, 5, 6], gguf.Tensors[0].Data.Span<float>().ToArray());
        Assert.Equal(1f, WeightConversion.ToFloat32(gguf.Tensors[2].Data).Span<float>()[0]);
        Assert.Same(file.Owner, gguf.Tensors[0].Data.Owner);
        GC.KeepAlive(file);
    }

    // Codes and scales of every number, written bit by bit where the layout puts them, and read back.
    [Theory]
    [InlineData(2u, 32)]
    [InlineData(3u, 32)]
    [InlineData(6u, 32)]
    [InlineData(7u, 32)]
    [InlineData(8u, 32)]
    [InlineData(10u, 256)]
    [InlineData(11u, 256)]
    [InlineData(12u, 256)]
    [InlineData(13u, 256)]
    [InlineData(14u, 256)]
    [InlineData(20u, 32)]
    [InlineData(23u, 256)]
    public void Read_QuantisedBlocks_AreTheirCodesTimesTheirScales(uint type, int size)
    {
        var random = new Random((int)type);
        var (bytes, expected) = (new List<byte>(), new List<float>());
        for (var block = 0; block < 3; block++)
        {
            var (packed, numbers) = GgufBytes.Block(type, size, random);
            bytes.AddRange(packed);
            expected.AddRange(numbers);
        }

        using var checkpoint = Temporary(GgufBytes.Make([], ("w", type, [size, 3], [.. bytes])));

        var data = checkpoint.Checkpoint.Get("w");
        Assert.Equal($"Float32[3, {size}]", data.ToString());
        for (var i = 0; i < expected.Count; i++) Assert.Equal(expected[i], data.Span<float>()[i], Math.Abs(expected[i]) * 1e-6f + 1e-6f);
    }

    [Theory]
    [InlineData("version", "version")]
    [InlineData("tensors", "more than it can hold")]
    [InlineData("dimensions", "too many dimensions")]
    [InlineData("kind", "not supported")]
    [InlineData("offset", "begins where none can")]
    [InlineData("outside", "reaches outside")]
    [InlineData("extent", "extent")]
    [InlineData("rows", "extents that its kind cannot have")]
    [InlineData("twice", "there twice")]
    [InlineData("alignment", "alignment")]
    [InlineData("nested", "nested too deeply")]
    [InlineData("type", "type that the format does not have")]
    [InlineData("short", "ends too early")]
    public void Read_Header_IsChecked(string what, string problem)
    {
        byte[] data = Floats(1, 2, 3, 4);
        var file = what switch
        {
            "version" => With(GgufBytes.Make([]), 4, 1),
            "tensors" => With(GgufBytes.Make([]), 8 + 7, 0x10),
            "dimensions" => GgufBytes.Make([], ("a", 0, [1, 1, 1, 1, 1], data)),
            "kind" => GgufBytes.Make([], ("a", 99, [4], data)),
            "offset" => GgufBytes.Make([], 3, ("a", 0, [4], data)),
            "outside" => GgufBytes.Make([], ("a", 0, [4096], data)),
            "extent" => GgufBytes.Make([], ("a", 0, [-4], data)),
            "rows" => GgufBytes.Make([], ("a", 8, [16, 2], data)),
            "twice" => GgufBytes.Make([], ("a", 0, [4], data), ("a", 0, [4], data)),
            "alignment" => GgufBytes.Make([("general.alignment", 4, 3u)]),
            "nested" => GgufBytes.Make([("a", 9, new object[] { new object[] { new object[] { new object[] { new object[] { 1u } } } } })]),
            "type" => GgufBytes.Make([("a", 13, 1u)]),
            _ => GgufBytes.Make([("a", 8, "text")])[..20],
        };

        var error = Assert.Throws<CheckpointException>(() => GgufFile.Read(Block(file)));

        Assert.Equal(ErrorCodes.CheckpointMalformed, error.Code);
        Assert.Contains(problem, error.Message);
    }

    [Fact]
    public void Open_FileOfThatKind_IsACheckpointLikeOthers()
    {
        using var file = Temporary(GgufBytes.Make([("general.architecture", 8, "llama")], ("token_embd.weight", 0, [2, 2], Floats(1, 2, 3, 4))));

        Assert.Equal("llama", file.Checkpoint.Values["general.architecture"]);
        Assert.True(file.Checkpoint.Get("token_embd.weight").IsMapped);
        Assert.Throws<CheckpointException>(() => Checkpoint.Open(file.Path, key: "model"));
    }

    private static TemporaryCheckpoint Temporary(byte[] bytes) => TemporaryCheckpoint.Of(bytes, ".gguf");

    private static ByteBlock Block(byte[] bytes) => ByteBlock.Copy("test.gguf", bytes);

    private static byte[] Floats(params float[] values) => Bytes(values);

    private static byte[] Bytes<T>(params T[] values) where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.AsBytes<T>(values).ToArray();

    private static byte[] With(byte[] bytes, int at, byte value)
    {
        bytes[at] = value;
        return bytes;
    }
}
