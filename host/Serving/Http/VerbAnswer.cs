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

    /// <summary>The answer as JSON.</summary>
    /// <param name="name">What the media is called: <c>tokens</c> or <c>output</c>.</param>
    public static JsonObject Json<T>(string name, VerbResult<T> result, VerbRequest request, string verb) where T : Contracts.Media => new()
    {
        ["model"] = result.Model.ToString(),
        [name] = MediaJson.Write(result.Value),
        ["elapsed_seconds"] = result.Elapsed.TotalSeconds,
        ["run"] = Record(result, request, verb).ToJson(),
    };

    /// <summary>Answers in the form that the client asked for.</summary>
    public static async Task WriteAsync<T>(HttpContext context, string name, VerbResult<T> result, VerbRequest request, string verb, CancellationToken cancel) where T : Contracts.Media
    {
        var own = MediaTypes.Of(result.Value.Modality);
        var chosen = result.Value is Tokens
            ? MediaTypes.Choose(context.Request.Headers.Accept, MediaTypes.Json, MediaTypes.Safetensors)
            : MediaTypes.Choose(context.Request.Headers.Accept, own, MediaTypes.Json);
        if (chosen is null)
        {
            await Problems.WriteAsync(context, 406, new("request.media-type", "The answer is not to be had in this form.") { Expected = $"{own} or {MediaTypes.Json}", Found = context.Request.Headers.Accept }).ConfigureAwait(false);
            return;
        }

        if (chosen == MediaTypes.Json && (result.Value is Tokens || own != MediaTypes.Json || context.Request.Headers.Accept == MediaTypes.Json))
        {
            await context.Response.WriteAsJsonAsync(Json(name, result, request, verb), cancel).ConfigureAwait(false);
            return;
        }

        using var body = new MemoryStream();
        MediaFiles.Write(body, result.Value, "answer" + MediaTypes.Extension(chosen));
        context.Response.ContentType = chosen == "text/plain" ? "text/plain; charset=utf-8" : chosen;
        context.Response.ContentLength = body.Length;
        context.Response.Headers[RunHeader] = JsonSerializer.Serialize(Record(result, request, verb).ToJson(), JsonSerializerOptions.Web);
        await context.Response.Body.WriteAsync(body.GetBuffer().AsMemory(0, (int)body.Length), cancel).ConfigureAwait(false);
    }

    private static RunRecord Record<T>(VerbResult<T> result, VerbRequest request, string verb) => new()
    {
        Verb = verb, Model = result.Model.ToString(), Device = result.Provenance.Device, Options = JsonSerializer.SerializeToElement(request.Options), Seed = request.Seed, Prompt = request.Prompt, Provenance = result.Provenance,
    };
}
