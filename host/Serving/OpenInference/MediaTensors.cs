using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;

namespace ModelZoo.Host.Serving.OpenInference;

/// <summary>Media as tensors of the protocol and back: one tensor of the media's name, its other facts as the tensor's parameters.</summary>
internal static class MediaTensors
{
    /// <summary>What each kind of media looks like.</summary>
    public static IReadOnlyList<TensorDescription> Describe(Modality modality) => modality switch
    {
        Modality.Text => [new("text", "BYTES", 1)],
        Modality.Items => [new("items", "BYTES", -1)],
        Modality.Audio => [new("audio", "FP32", -1, -1)],
        Modality.Image => [new("image", "FP32", -1, -1, -1)],
        Modality.Video => [new("video", "FP32", -1, -1, -1, -1)],
        Modality.Motion => [new("motion", "FP32", -1, -1)],
        Modality.Mesh => [new("vertices", "FP32", -1, 3), new("faces", "INT32", -1, 3)],
        Modality.Tokens => [new("ids", "INT32", -1)],
        _ => [],
    };

    /// <summary>Media as tensors.</summary>
    public static IEnumerable<InferTensor> Write(Contracts.Media media) => media switch
    {
        Text text => [InferTensor.Of("text", text.Value)],
        Items items => items.Scores is { } scores ? [InferTensor.Of("items", items.Ids), InferTensor.Of("scores", Tensor.Create(scores.ToArray(), scores.Count))] : [InferTensor.Of("items", items.Ids)],
        Audio audio => [InferTensor.Of("audio", audio.Samples) with { Parameters = new() { ["sample_rate"] = audio.SampleRate } }],
        Image image => [InferTensor.Of("image", image.Pixels)],
        Video video => [InferTensor.Of("video", video.Frames) with { Parameters = new() { ["frame_rate"] = video.FrameRate } }],
        Motion motion => [InferTensor.Of("motion", motion.Features) with { Parameters = new() { ["frame_rate"] = motion.FrameRate, ["representation"] = motion.Representation } }],
        Mesh mesh => mesh.Faces is null ? [InferTensor.Of("vertices", mesh.Vertices)] : [InferTensor.Of("vertices", mesh.Vertices), InferTensor.Of("faces", mesh.Faces)],
        Tokens tokens => [InferTensor.Of("ids", tokens.Ids) with { Parameters = Space(tokens) }, .. tokens.Extras.Select(extra => InferTensor.Of($"extra.{extra.Key}", extra.Value))],
        NamedTensors named => named.Values.Select(pair => InferTensor.Of(pair.Key, pair.Value)),
        _ => throw new MediaException(ErrorCodes.MediaUnsupported, $"{media.Modality} has no form as tensors."),
    };

    /// <summary>Media from tensors.</summary>
    /// <exception cref="ModelZooException">A tensor or a parameter is missing.</exception>
    public static Contracts.Media Read(Modality modality, IReadOnlyList<InferTensor> tensors) => modality switch
    {
        Modality.Text => new Text(string.Concat(Find(tensors, "text").ToTexts())),
        Modality.Items => new Items(Find(tensors, "items").ToTexts()),
        Modality.Audio => new Audio(Floats(tensors, "audio", 2), Number(Find(tensors, "audio"), "sample_rate")),
        Modality.Image => new Image(Floats(tensors, "image", 3)),
        Modality.Video => new Video(Floats(tensors, "video", 4), Number(Find(tensors, "video"), "frame_rate")),
        Modality.Motion => Motion(Find(tensors, "motion"), Floats(tensors, "motion", 2)),
        Modality.Mesh => new Mesh(Floats(tensors, "vertices", 2), tensors.FirstOrDefault(tensor => tensor.Name == "faces")?.ToTensor().As<int>()),
        Modality.Tokens => Tokens(tensors),
        _ => new NamedTensors(tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.ToTensor())),
    };

    // What decoding needs beside the ids goes with them as text, and comes back as it was given.
    private static JsonObject Space(Tokens tokens)
    {
        var json = TokensFile.ToJson(tokens with { Spans = [], SpannedText = null, Extras = new Dictionary<string, Tensor>() });
        json.Remove("ids");
        return new() { ["token_space"] = json.ToJsonString() };
    }

    private static Tokens Tokens(IReadOnlyList<InferTensor> tensors)
    {
        var ids = Find(tensors, "ids");
        var space = (string?)ids.Parameters["token_space"] ?? throw new ModelZooException(ErrorCodes.TokensInvalid, "The ids do not say what they mean.") { Where = "ids", Expected = "the parameter token_space, as `tokenize` gave it with them" };
        try
        {
            var json = JsonNode.Parse(space)!.AsObject();
            json["ids"] = new JsonArray();
            json["shape"] = new JsonArray(0);
            var head = TokensFile.FromJson(System.Text.Json.JsonSerializer.SerializeToElement(json), "token_space");
            var extras = tensors.Where(tensor => tensor.Name.StartsWith("extra.", StringComparison.Ordinal)).ToDictionary(tensor => tensor.Name["extra.".Length..], tensor => tensor.ToTensor());
            return new(head.Space, ids.ToTensor().As<int>()) { FrameRate = head.FrameRate, SourceLength = head.SourceLength, Extras = extras };
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new ModelZooException(ErrorCodes.TokensInvalid, "The parameter token_space cannot be read.", error) { Where = "ids" };
        }
    }

    private static Motion Motion(InferTensor tensor, Tensor<float> features) =>
        new(features, tensor.Parameters.ContainsKey("frame_rate") ? Number(tensor, "frame_rate") : 20, (string?)tensor.Parameters["representation"] ?? $"humanml3d-{features.Shape[1]}");

    private static Tensor<float> Floats(IReadOnlyList<InferTensor> tensors, string name, int rank)
    {
        var tensor = Find(tensors, name).ToTensor().As<float>();
        return tensor.Rank == rank ? tensor : throw new ModelZooException(ErrorCodes.TensorType, "An input has another number of dimensions.") { Where = name, Expected = $"{rank}", Found = $"{tensor.Rank}" };
    }

    private static InferTensor Find(IReadOnlyList<InferTensor> tensors, string name) => tensors.FirstOrDefault(tensor => tensor.Name == name)
        ?? throw new ModelZooException(ErrorCodes.TensorType, "An input is missing.") { Where = name, Found = tensors.Count == 0 ? "no inputs" : string.Join(", ", tensors.Select(tensor => tensor.Name)) };

    private static int Number(InferTensor tensor, string parameter) =>
        tensor.Parameters[parameter] is JsonValue value && int.TryParse(value.ToString(), CultureInfo.InvariantCulture, out var number) && number > 0 ? number
        : throw new ModelZooException(ErrorCodes.TensorType, "An input lacks a parameter.") { Where = $"{tensor.Name}.{parameter}", Expected = "a whole number", Found = tensor.Parameters[parameter]?.ToString() ?? "none" };
}
