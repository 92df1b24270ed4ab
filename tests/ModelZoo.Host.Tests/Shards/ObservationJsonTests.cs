using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Shards.Tests;

public class ObservationJsonTests
{
    private static readonly Tensor<float> Numbers = Tensor.Create([1 / 3f, -0f, float.NaN, float.NegativeInfinity, float.Epsilon, MathF.PI], 1, 2, 3);

    public static TheoryData<string, Contracts.Media> AllMedia => new()
    {
        { "text", new Text("Grüße\n\"日本\" \0 🎹") },
        { "half a pair", new Text("a\ud83c") },
        { "image", new Image(Numbers) },
        { "audio", new Audio(Numbers.Reshape(2, 3), 44_100) },
        { "video", new Video(Numbers.Reshape(1, 1, 2, 3), 30 / 1.001) },
        { "motion", new Contracts.Motion(Numbers.Reshape(2, 3), 20, "joints-1") },
        { "mesh", new Mesh(Numbers.Reshape(2, 3), Tensor.Create([0, 1, 1], 1, 3)) },
        { "points", new Mesh(Numbers.Reshape(2, 3)) },
        { "items", new Items(["a", "ü"]) },
        { "ranked items", new Items(["a", "b", "c"], [0.1 + 0.2, double.NegativeInfinity, double.NaN]) },
        { "tensors", new NamedTensors(new Dictionary<string, Tensor> { ["x"] = Numbers, ["n"] = Tensor.Scalar(long.MaxValue) }) },
        { "tokens", new Tokens(new("a/b", TokenLayout.Frames, [7, 8], "digest"), Tensor.Create([1, 2, 3, 4], 2, 2)) { Spans = [new(0.1, 1 / 3.0)], FrameRate = 1 / 3.0, SourceLength = 9, Extras = new Dictionary<string, Tensor> { ["scale"] = Numbers } } },
    };

    [Theory, MemberData(nameof(AllMedia))]
    public void Read_WhatWasWritten_IsTheSameToTheBit(string what, Contracts.Media media)
    {
        var written = ExactMedia.Write(media);
        var read = ExactMedia.Read(JsonElement.Parse(written.ToJsonString(ShardHeader.Json)));
        Assert.True(Equal(media, read), what);
        Assert.Equal(written.ToJsonString(), ExactMedia.Write(read).ToJsonString());
    }

    [Fact]
    public void Read_Observations_KeepsAllAndWritesSharedMediaOnce()
    {
        var reference = new Text("original");
        Observation[] observations = [new("a", reference, new Text("x")) { Group = "1 kbit/s", Label = "l" }, new("a", reference, null), new("b", null, null) { Tokens = new(new("a/b", TokenLayout.Flat, [7], "d"), Tensor.Create([1], 1)) }];
        var written = ObservationJson.Write(observations);
        Assert.Equal(3, written["media"]!.AsArray().Count);
        var read = ObservationJson.Read(JsonElement.Parse(written.ToJsonString(ShardHeader.Json)));
        Assert.Equal(observations[..2], read.Take(2));
        Assert.Equal(1, read[2].Tokens!.Ids.Span[0]);
        Assert.Same(read[0].Reference, read[1].Reference);
    }

    private static bool Equal(Contracts.Media a, Contracts.Media b) => (a, b) switch
    {
        (Text x, Text y) => x == y,
        (Image x, Image y) => Equal(x.Pixels, y.Pixels),
        (Audio x, Audio y) => Equal(x.Samples, y.Samples) && x.SampleRate == y.SampleRate,
        (Video x, Video y) => Equal(x.Frames, y.Frames) && x.FrameRate == y.FrameRate,
        (Contracts.Motion x, Contracts.Motion y) => Equal(x.Features, y.Features) && x.FrameRate == y.FrameRate && x.Representation == y.Representation,
        (Mesh x, Mesh y) => Equal(x.Vertices, y.Vertices) && (x.Faces is null ? y.Faces is null : Equal(x.Faces, y.Faces!)),
        (Items x, Items y) => x.Ids.SequenceEqual(y.Ids) && (x.Scores is null ? y.Scores is null : x.Scores.Select(BitConverter.DoubleToInt64Bits).SequenceEqual(y.Scores!.Select(BitConverter.DoubleToInt64Bits))),
        (NamedTensors x, NamedTensors y) => x.Values.All(pair => Equal(pair.Value, y.Values[pair.Key])),
        (Tokens x, Tokens y) => x.Space == y.Space && Equal(x.Ids, y.Ids) && x.Spans.SequenceEqual(y.Spans) && x.FrameRate == y.FrameRate && x.SourceLength == y.SourceLength && Equal(x.Extras["scale"], y.Extras["scale"]),
        _ => false,
    };

    private static bool Equal(Tensor a, Tensor b) => a.ToString() == b.ToString() && a.Bytes.SequenceEqual(b.Bytes);
}
