using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Models;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving.OpenInference;

/// <summary>The REST form of the Open Inference Protocol v2, with the extensions for binary tensors and the model repository. A model is named in the path, its slash as it is or as <c>%2F</c>; there is one version, <c>1</c>.</summary>
internal static class OpenInferenceRoutes
{
    /// <summary>The one version that every model has.</summary>
    public const string Version = "1";

    /// <summary>The extensions that are served.</summary>
    public static IReadOnlyList<string> Extensions { get; } = ["binary_tensor_data", "model_repository", "schedule_policy"];

    public static void Map(IEndpointRouteBuilder routes)
    {
        var v2 = routes.MapGroup("/v2");
        v2.MapGet("/health/live", () => new JsonObject { ["live"] = true }).WithMetadata(new Doorkeeper.Open());
        v2.MapGet("/health/ready", (Readiness readiness) => TypedResults.Json(new JsonObject { ["live"] = true, ["ready"] = readiness.IsReady }, statusCode: readiness.IsReady ? 200 : 503)).WithMetadata(new Doorkeeper.Open());
        v2.MapGet("/", () => new JsonObject { ["name"] = "modelzoo", ["version"] = Zoo.Version, ["extensions"] = new JsonArray([.. Extensions.Select(name => (JsonNode)name)]) });
        v2.MapPost("/repository/index", IndexAsync);
        foreach (var model in new[] { "/models/{family}/{name}", "/models/{id}" })
        {
            foreach (var path in new[] { model, model + "/versions/{version}" })
            {
                v2.MapGet(path, (HttpContext context, InferenceService service) => DescribeAsync(context, service));
                v2.MapGet(path + "/ready", (HttpContext context, InferenceService service) => Ready(context, service));
                v2.MapPost(path + "/infer", (HttpContext context, InferenceService service) => InferAsync(context, service));
            }

            v2.MapPost("/repository" + model + "/load", async (HttpContext context, ModelPool pool) =>
            {
                await WithoutParametersAsync(context, "config");
                using var lease = await pool.AcquireAsync(Model(context), context.RequestAborted);
                return TypedResults.Ok();
            }).WithMetadata(new Doorkeeper.Administration());
            v2.MapPost("/repository" + model + "/unload", async (HttpContext context, ModelPool pool) =>
            {
                await pool.RetireAsync(Model(context).Id).WaitAsync(context.RequestAborted);
                return TypedResults.Ok();
            }).WithMetadata(new Doorkeeper.Administration());
        }
    }

    private static ModelRequest Model(HttpContext context)
    {
        var values = context.Request.RouteValues;
        if (values.TryGetValue("version", out var version) && (string?)version != Version) throw new ModelZooException(ErrorCodes.ModelUnknown, "There is no such version of the model.") { Expected = Version, Found = (string?)version };
        return context.RequestServices.GetRequiredService<ModelNames>().Find(Name(context));
    }

    // As the client has it, which its answers repeat.
    private static string Name(HttpContext context) => context.Request.RouteValues is var values && values.TryGetValue("id", out var id) ? Uri.UnescapeDataString((string)id!) : $"{values["family"]}/{values["name"]}";

    private static async Task<JsonArray> IndexAsync(HttpContext context, ModelDirectory directory)
    {
        var onlyReady = (await BodyAsync(context).ConfigureAwait(false))["ready"] is JsonValue ready && ready.TryGetValue(out bool wanted) && wanted;
        return [.. directory.Entries(all: false).Where(entry => entry.Source is not null).Select(Entry).Where(entry => !onlyReady || (string?)entry["state"] == "READY")];
    }

    // Clients may send code and configuration with a load; here both are the manifest's.
    private static async Task WithoutParametersAsync(HttpContext context, string name)
    {
        if ((await BodyAsync(context).ConfigureAwait(false))["parameters"] is JsonObject parameters && parameters.FirstOrDefault(parameter => parameter.Key == name || parameter.Key.StartsWith("file:", StringComparison.Ordinal)) is { Key: { } given })
            throw new OptionsException(ErrorCodes.OptionUnknown, "A model is loaded as plugins.json says, and not otherwise.") { Where = given };
    }

    // A body may be left out.
    private static async Task<JsonObject> BodyAsync(HttpContext context) => context.Request.ContentLength is > 0 ? await RequestJson.ReadObjectAsync(context.Request, context.RequestAborted).ConfigureAwait(false) : [];

    private static JsonNode Entry(ModelEntryView entry) => new JsonObject { ["name"] = entry.Id, ["version"] = Version, ["state"] = entry.State is "open" or "available" ? "READY" : "UNAVAILABLE", ["reason"] = entry.State };

    private static async Task<IResult> DescribeAsync(HttpContext context, InferenceService service)
    {
        var model = await service.DescribeAsync(Model(context), context.RequestAborted).ConfigureAwait(false);
        return TypedResults.Ok(new JsonObject
        {
            ["name"] = Name(context), ["versions"] = new JsonArray(Version), ["platform"] = model.Platform, ["inputs"] = Tensors(model.Inputs), ["outputs"] = Tensors(model.Outputs),
            ["properties"] = new JsonObject(model.Properties.Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, pair.Value))),
        });
    }

    private static IResult Ready(HttpContext context, InferenceService service)
    {
        var model = Model(context);
        var ready = service.IsReady(model.Id);
        return TypedResults.Json(new JsonObject { ["name"] = Name(context), ["ready"] = ready }, statusCode: ready ? 200 : 404);
    }

    private static async Task<IResult> InferAsync(HttpContext context, InferenceService service)
    {
        var cancel = context.RequestAborted;
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, cancel).ConfigureAwait(false);
        var model = Model(context);
        var request = RestCodec.Read(body.GetBuffer().AsMemory(0, (int)body.Length), context.Request.Headers[RestCodec.LengthHeader], out var binary);
        var outputs = await service.InferAsync(model, request, RequestTermsReader.Of(context), cancel).ConfigureAwait(false);
        var (json, raw) = RestCodec.Write(Name(context), Version, request.Id, outputs, binary);
        if (raw.Count == 0) return TypedResults.Bytes(json, MediaTypes.Json);
        context.Response.Headers[RestCodec.LengthHeader] = json.Length.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return TypedResults.Bytes((ReadOnlyMemory<byte>)(byte[])[.. json, .. raw.SelectMany(part => part.ToArray())], "application/octet-stream");
    }

    private static JsonArray Tensors(IEnumerable<TensorDescription> tensors) =>
        [.. tensors.Select(tensor => (JsonNode)new JsonObject { ["name"] = tensor.Name, ["datatype"] = tensor.Datatype, ["shape"] = new JsonArray([.. tensor.Shape.Select(extent => (JsonNode)extent)]) })];
}
