using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;

namespace ModelZoo.Host.Shards;

/// <summary>Media as JSON and back, every number the same to the bit: file formats round samples and pixels, this does not.</summary>
internal static class ExactMedia
{
    public static JsonObject Write(Contracts.Media media) => media switch
    {
        // Half a surrogate pair has no UTF-8: such text goes by its UTF-16 units.
        Text text when IsWellFormed(text.Value) => new() { ["text"] = text.Value },
        Text text => new() { ["utf16"] = TensorJson.Write(Tensor.Create(text.Value.Select(unit => (ushort)unit).ToArray(), text.Value.Length)) },
        Image image => new() { ["image"] = TensorJson.Write(image.Pixels) },
        Audio audio => new() { ["audio"] = TensorJson.Write(audio.Samples), ["rate"] = audio.SampleRate },
        Video video => new() { ["video"] = TensorJson.Write(video.Frames), ["rate"] = video.FrameRate },
        Motion motion => new() { ["motion"] = TensorJson.Write(motion.Features), ["rate"] = motion.FrameRate, ["representation"] = motion.Representation },
        Mesh mesh => new() { ["mesh"] = TensorJson.Write(mesh.Vertices), ["faces"] = mesh.Faces is null ? null : TensorJson.Write(mesh.Faces) },
        Items items => new() { ["items"] = new JsonArray([.. items.Ids.Select(id => (JsonNode)id)]), ["scores"] = items.Scores is null ? null : TensorJson.Write(Tensor.Create(items.Scores.ToArray(), items.Scores.Count)) },
        Tokens tokens => new() { ["tokens"] = TokensFile.ToJson(tokens) },
        NamedTensors tensors => new() { ["tensors"] = new JsonObject(tensors.Values.Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, TensorJson.Write(pair.Value)))) },
        _ => throw new MediaException(ErrorCodes.MediaUnsupported, $"{media.Modality} is not written."),
    };

    public static Contracts.Media Read(JsonElement json)
    {
        var first = json.EnumerateObject().First();
        return first.Name switch
        {
            "text" => new Text(first.Value.GetString()!),
            "utf16" => new Text(string.Concat(TensorJson.Read(first.Value).As<ushort>().Span.ToArray().Select(unit => (char)unit))),
            "image" => new Image(Floats(first.Value)),
            "audio" => new Audio(Floats(first.Value), json.GetProperty("rate").GetInt32()),
            "video" => new Video(Floats(first.Value), json.GetProperty("rate").GetDouble()),
            "motion" => new Motion(Floats(first.Value), json.GetProperty("rate").GetDouble(), json.GetProperty("representation").GetString()!),
            "mesh" => new Mesh(Floats(first.Value), Given(json, "faces")?.As<int>()),
            "items" => new Items([.. first.Value.EnumerateArray().Select(id => id.GetString()!)], Given(json, "scores")?.As<double>().Span.ToArray()),
            "tokens" => TokensFile.FromJson(first.Value, "tokens"),
            "tensors" => new NamedTensors(first.Value.EnumerateObject().ToDictionary(tensor => tensor.Name, tensor => TensorJson.Read(tensor.Value))),
            _ => throw new MediaException(ErrorCodes.MediaMalformed, "This is no media.") { Found = first.Name },
        };
    }

    private static Tensor<float> Floats(JsonElement tensor) => TensorJson.Read(tensor).As<float>();

    private static Tensor? Given(JsonElement json, string name) => json.GetProperty(name) is { ValueKind: JsonValueKind.Object } tensor ? TensorJson.Read(tensor) : null;

    private static bool IsWellFormed(string text) => text == string.Concat(text.EnumerateRunes());
}
