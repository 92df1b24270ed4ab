using System.Text.Json.Nodes;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media.Tests;

public sealed class MediaFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("media-").FullName;
    private readonly MediaFiles _files = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string File(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        System.IO.File.WriteAllText(path, text);
        return path;
    }

    private async Task<Contracts.Media> RoundTrip(Contracts.Media media, string name)
    {
        var path = Path.Combine(_folder, name);
        using (var stream = System.IO.File.Create(path)) MediaFiles.Write(stream, media, path);
        return await _files.ReadAsync(path);
    }

    public static Tokens SomeTokens => new(new("speech/encodec.x", TokenLayout.Frames, [256, 256], "digest"), Tensor.Create([1, 2, 3, 4, 5, 6], 2, 3))
    {
        FrameRate = 75, SourceLength = 960, Spans = [new(0, 0.5), new(0.5, 1)], Extras = new Dictionary<string, Tensor> { ["scales"] = Tensor.Create([0.1f, 1e-30f], 2), ["offsets"] = Tensor.Create([0, 1, 1, -3], 2, 2) }, SpannedText = "clean\n",
    };

    [Theory]
    [InlineData("[-1, -2]", "[1, 2]")]
    [InlineData("[9000000000, 9000000000]", "[1, 2]")]
    [InlineData("[2]", "[1, 2, 3]")]
    [InlineData("[2]", "[1, \"two\"]")]
    [InlineData("[2]", "{}")]
    [InlineData("2", "[1, 2]")]
    public async Task Tokens_WithNumbersThatDoNotFillTheirShape_AreRefusedByFile(string shape, string values)
    {
        var json = JsonNode.Parse(TokensFile.ToJson(SomeTokens).ToJsonString())!;
        json["extras"] = new JsonObject { ["offsets"] = new JsonObject { ["type"] = "Int32", ["shape"] = JsonNode.Parse(shape), ["values"] = JsonNode.Parse(values) } };

        var error = await Assert.ThrowsAsync<MediaException>(async () => await _files.ReadAsync(File("bad.json", json.ToJsonString())));

        Assert.Equal(ErrorCodes.MediaMalformed, error.Code);
        Assert.Contains("bad.json", error.Where, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tokens.json")]
    [InlineData("tokens.safetensors")]
    public async Task Tokens_WrittenAndRead_AreTheSameToTheBit(string name)
    {
        var again = (await RoundTrip(SomeTokens, name)).Expect<Tokens>();
        Assert.Equal(SomeTokens.Space, again.Space);
        Assert.Equal(SomeTokens.Ids.Span.ToArray(), again.Ids.Span.ToArray());
        Assert.True(again.Ids.Shape.SequenceEqual([2, 3]));
        Assert.Equal((SomeTokens.FrameRate, SomeTokens.SourceLength), (again.FrameRate, again.SourceLength));
        Assert.Equal(SomeTokens.Spans, again.Spans);
        Assert.Equal(SomeTokens.Extras["scales"].Bytes.ToArray(), again.Extras["scales"].Bytes.ToArray());
        Assert.Equal(SomeTokens.Extras["offsets"].ToString(), again.Extras["offsets"].ToString());
        Assert.Equal([0, 1, 1, -3], again.Extras["offsets"].As<int>().Span.ToArray());
        Assert.Equal(SomeTokens.SpannedText, again.SpannedText);
    }

    [Fact]
    public async Task Others_WrittenAndRead_AreTheSame()
    {
        Assert.Equal("grüße\n", (await RoundTrip(new Contracts.Text("grüße\n"), "a.txt")).Expect<Contracts.Text>().Value);
        Assert.Equal(["b", "a"], (await RoundTrip(new Items(["b", "a"]), "a.json")).Expect<Items>().Ids);
        var motion = (await RoundTrip(new Motion(Tensor.Create(Enumerable.Range(0, 526).Select(i => (float)i).ToArray(), 2, 263), 20, "humanml3d-263"), "a.npy")).Expect<Motion>();
        Assert.Equal(("humanml3d-263", 525f), (motion.Representation, motion.Features[1, 262]));
        var mesh = (await RoundTrip(new Mesh(Tensor.Create([0f, 0, 0, 1, 0, 0, 0, 1, 0.1f], 3, 3), Tensor.Create([0, 1, 2], 1, 3)), "a.obj")).Expect<Mesh>();
        Assert.Equal((0.1f, 2), (mesh.Vertices[2, 2], mesh.Faces![0, 2]));
        var tensors = (await RoundTrip(new NamedTensors(new Dictionary<string, Tensor> { ["x"] = Tensor.Create([1L, 2], 2) }), "a.safetensors")).Expect<NamedTensors>();
        Assert.Equal([1L, 2], tensors.Values["x"].As<long>().Span.ToArray());
    }

    [Theory]
    [InlineData("[3, \"x\"]")]
    [InlineData("{\"ids\": [3, \"x\"]}")]
    [InlineData("{\"items\": [3, \"x\"]}")]
    public async Task Json_HistoryOfAnyForm_IsItems(string text) => Assert.Equal(["3", "x"], (await _files.ReadAsync(File("h.json", text))).Expect<Items>().Ids);

    [Fact]
    public async Task Npy_OfDoublePrecision_IsAMotionToo()
    {
        var header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }".PadRight(117) + "\n";
        byte[] bytes = [0x93, .. "NUMPY"u8, 1, 0, .. BitConverter.GetBytes((ushort)header.Length), .. System.Text.Encoding.ASCII.GetBytes(header), .. BitConverter.GetBytes(0.5), .. BitConverter.GetBytes(-2.0)];
        var path = Path.Combine(_folder, "a.npy");
        await System.IO.File.WriteAllBytesAsync(path, bytes);
        var motion = (await _files.ReadAsync(path)).Expect<Motion>();
        Assert.Equal(("features-2", 0.5f, -2f), (motion.Representation, motion.Features[0, 0], motion.Features[0, 1]));
    }

    [Fact]
    public async Task Obj_PolygonsAndNegativeIndices_BecomeTriangles()
    {
        var mesh = (await _files.ReadAsync(File("q.obj", "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1/1 2/2 3/3 -1\n"))).Expect<Mesh>();
        Assert.Equal([0, 1, 2, 0, 2, 3], mesh.Faces!.Span.ToArray());
    }

    [Theory]
    [InlineData("notes.md", "# grüße\n")]
    [InlineData("Makefile", "all:\n\ttrue\n")]
    [InlineData("empty.py", "")]
    public async Task Read_TextOfAnyName_IsText(string name, string text) => Assert.Equal(text, (await _files.ReadAsync(File(name, text))).Expect<Contracts.Text>().Value);

    [Fact]
    public async Task Read_TextThatIsNotUtf8_SaysWhere()
    {
        var path = Path.Combine(_folder, "a.txt");
        await System.IO.File.WriteAllBytesAsync(path, [.. "grü"u8, 0xFF, .. "e"u8]);
        Assert.Contains("the byte at 4 ", (await Assert.ThrowsAsync<MediaException>(async () => await _files.ReadAsync(path))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.obj", "v 0 0", "a.obj:1")]
    [InlineData("a.json", "{\"format\":\"modelzoo.tokens/1\"}", "not a file of tokens")]
    [InlineData("a.json", "{", "neither")]
    [InlineData("a.json", "[1, [2]]", "neither")]
    [InlineData("a.npy", "no", "not an .npy file")]
    [InlineData("a.safetensors", "12345678", "cannot be read")]
    [InlineData("a.xyz", "PK\0\u0003", "not read")]
    public async Task Read_BrokenFile_SaysWhatIsWrong(string name, string text, string message)
    {
        var error = await Assert.ThrowsAnyAsync<ModelZooException>(async () => await _files.ReadAsync(File(name, text)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_FormatOfFfmpegWithoutFfmpeg_SaysWhatToInstall()
    {
        if (await Ffmpeg.VersionAsync(default) is not null) return;
        var error = await Assert.ThrowsAsync<MediaException>(async () => await _files.ReadAsync(File("a.mp3", "x")));
        Assert.Contains("Install ffmpeg", error.Message, StringComparison.Ordinal);
    }
}
