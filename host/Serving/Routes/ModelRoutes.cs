using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving.Routes;

/// <summary>Which models there are, and the verbs of each. A model is named in the path, its slash as it is or as <c>%2F</c>.</summary>
internal static class ModelRoutes
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/models", (ModelDirectory directory) => new JsonObject { ["object"] = "list", ["data"] = new JsonArray([.. directory.Entries(all: false).Select(entry => (JsonNode)entry.ToJson())]) })
            .WithSummary("The models, with card, device, state, memory and parity.").Produces<JsonObject>();
        MapModel(routes, "GET", "", ShowAsync, "A model's card, verbs, options and facts; opens it.");
        MapModel(routes, "POST", "/tokenize", TokenizeAsync, "Media to tokens.");
        MapModel(routes, "POST", "/detokenize", DetokenizeAsync, "Tokens to media.");
        MapModel(routes, "POST", "/generate", GenerateAsync, "Prompt to media: one answer, or events (queued, progress, partial, final, error) when text/event-stream is asked for.");
    }

    /// <summary>Maps a route below a model's name in both forms that clients send.</summary>
    public static void MapModel(IEndpointRouteBuilder routes, string method, string path, Func<HttpContext, ModelRequest, Task> handle, string summary)
    {
        var named = routes.MapMethods($"/v1/models/{{family}}/{{name}}{path}", [method], (HttpContext context, string family, string name) => handle(context, new(ModelId.Parse($"{family}/{name}")))).WithSummary(summary);
        if (method == "POST") named.WithMetadata(new ApiDescription.VerbBody(), new ApiDescription.Queued());
        routes.MapMethods($"/v1/models/{{id}}{path}", [method], (HttpContext context, string id) => handle(context, context.RequestServices.GetRequiredService<ModelNames>().Find(Uri.UnescapeDataString(id)))).ExcludeFromDescription();
    }

    private static async Task ShowAsync(HttpContext context, ModelRequest model)
    {
        var directory = context.RequestServices.GetRequiredService<ModelDirectory>();
        await context.Response.WriteAsJsonAsync(await directory.ShowAsync(model, context.RequestAborted).ConfigureAwait(false), context.RequestAborted).ConfigureAwait(false);
    }

    private static async Task TokenizeAsync(HttpContext context, ModelRequest model)
    {
        var (verbs, request) = await BeginAsync(context).ConfigureAwait(false);
        var result = await verbs.TokenizeAsync(model, request.Input, request.Options, context.RequestAborted).ConfigureAwait(false);
        await VerbAnswer.WriteAsync(context, "tokens", result, request, "tokenize", context.RequestAborted).ConfigureAwait(false);
    }

    private static async Task DetokenizeAsync(HttpContext context, ModelRequest model)
    {
        var (verbs, request) = await BeginAsync(context).ConfigureAwait(false);
        var result = await verbs.DetokenizeAsync(model, request.Input, request.Options, context.RequestAborted).ConfigureAwait(false);
        await VerbAnswer.WriteAsync(context, "output", result, request, "detokenize", context.RequestAborted).ConfigureAwait(false);
    }

    private static async Task GenerateAsync(HttpContext context, ModelRequest model)
    {
        var (verbs, request) = await BeginAsync(context).ConfigureAwait(false);
        var prompt = new Prompt(request.Prompt, request.Inputs);
        if (ServerSentEvents.Wanted(context.Request))
        {
            await GenerationEvents.WriteAsync(context, report => verbs.GenerateAsync(model, prompt, request.Options, request.Seed, report, context.RequestAborted), result => VerbAnswer.Json("output", result, request, "generate")).ConfigureAwait(false);
            return;
        }

        var result = await verbs.GenerateAsync(model, prompt, request.Options, request.Seed, static _ => { }, context.RequestAborted).ConfigureAwait(false);
        await VerbAnswer.WriteAsync(context, "output", result, request, "generate", context.RequestAborted).ConfigureAwait(false);
    }

    private static async Task<(ModelVerbs Verbs, VerbRequest Request)> BeginAsync(HttpContext context) => (RequestTermsReader.Verbs(context),
        await VerbRequest.ReadAsync(context.Request, context.RequestServices.GetRequiredService<ServerSettings>(), context.RequestAborted).ConfigureAwait(false));
}
