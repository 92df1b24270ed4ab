using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;
using ModelZoo.Host.Replay;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Serving.Http;

/// <summary>A verb's result as JSON with its run record, or as the bare media with the record in a header: whichever the client asked for.</summary>
internal static class VerbAnswer
{
    /// <summary>Header with the run record of a bare answer.</summary>
    public const string RunHeader = "ModelZoo-Run";

    private static readonly JsonElement NoOptions = JsonElement.Parse("{}");

    /// <summary>The answer as JSON.</summary>
    /// <param name="name">What the media is called: <c>tokens</c> or <c>output</c>.</param>
    public static JsonObject Json<T>(string name, VerbResult<T> result, VerbRequest request, string verb) where T : Contracts.Media => JsonBytes.Node(json => Write(json, name, result, request, verb)).AsObject();

    /// <summary>Answers in the form that the client asked for.</summary>
    public static async Task WriteAsync<T>(HttpContext context, string name, VerbResult<T> result, VerbRequest request, string verb, CancellationToken cancel) where T : Contracts.Media
    {
        var own = MediaTypes.Of(result.Value.Modality);
        string[] offered = result.Value is Tokens ? [MediaTypes.Json, MediaTypes.Safetensors] : [own, MediaTypes.Json];
        var chosen = MediaTypes.Choose(context.Request.Headers.Accept, offered);
        if (chosen is null)
        {
            await Problems.WriteAsync(context, 406, new("request.media-type", "The answer is not to be had in this form.") { Expected = string.Join(" or ", offered.Distinct()), Found = context.Request.Headers.Accept }).ConfigureAwait(false);
            return;
        }

        if (chosen == MediaTypes.Json && (result.Value is Tokens || own != MediaTypes.Json || context.Request.Headers.Accept == MediaTypes.Json))
        {
            using var text = JsonBytes.Write(json => Write(json, name, result, request, verb));
            context.Response.ContentType = "application/json; charset=utf-8";
            context.Response.ContentLength = text.Written.Length;
            await context.Response.BodyWriter.WriteAsync(text.Written, cancel).ConfigureAwait(false);
            return;
        }

        using var body = new MemoryStream();
        MediaFiles.Write(body, result.Value, "answer" + MediaTypes.Extension(chosen));
        context.Response.ContentType = chosen == "text/plain" ? "text/plain; charset=utf-8" : chosen;
        context.Response.ContentLength = body.Length;
        context.Response.Headers[RunHeader] = Record(result, request, verb).ToLine();
        await context.Response.Body.WriteAsync(body.GetBuffer().AsMemory(0, (int)body.Length), cancel).ConfigureAwait(false);
    }

    private static void Write<T>(Utf8JsonWriter json, string name, VerbResult<T> result, VerbRequest request, string verb) where T : Contracts.Media
    {
        json.WriteStartObject();
        json.WriteString("model", result.Model.ToString());
        json.WritePropertyName(name);
        MediaJson.Write(json, result.Value);
        json.WriteNumber("elapsed_seconds", result.Elapsed.TotalSeconds);
        json.WritePropertyName("run");
        Record(result, request, verb).Write(json);
        json.WriteEndObject();
    }

    private static RunRecord Record<T>(VerbResult<T> result, VerbRequest request, string verb) => new()
    {
        Verb = verb, Model = result.Model.ToString(), Device = result.Provenance.Device, Options = request.Options.Count == 0 ? NoOptions : JsonSerializer.SerializeToElement(request.Options), Seed = request.Seed, Prompt = request.Prompt, Provenance = result.Provenance,
    };
}
