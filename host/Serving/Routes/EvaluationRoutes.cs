using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Models;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving.Routes;

/// <summary>Evaluations as jobs: submit, watch, cancel; the result is kept.</summary>
internal static class EvaluationRoutes
{
    private sealed record Submission(string Data, string[]? Metrics, int? Limit, ulong Seed, JsonObject? Options);

    public static void Map(IEndpointRouteBuilder routes)
    {
        ModelRoutes.MapModel(routes, "POST", "/evaluate", SubmitAsync, "Submits an evaluation: {\"data\": path within the data folder, \"metrics\": [...], \"limit\": n, \"seed\": n, \"options\": {...}}; answers 202 with the job.");
        routes.MapGet("/v1/jobs", async (EvaluationJobs jobs, CancellationToken cancel) => new JsonObject { ["object"] = "list", ["data"] = new JsonArray([.. await jobs.ListAsync(cancel)]) }).WithSummary("The jobs, newest first.");
        routes.MapGet("/v1/jobs/{id}", (string id, EvaluationJobs jobs, CancellationToken cancel) => jobs.ShowAsync(id, cancel)).WithSummary("A job: state, progress, result.");
        routes.MapGet("/v1/jobs/{id}/events", WatchAsync).WithSummary("A job's progress as events, until it ends.");
        routes.MapDelete("/v1/jobs/{id}", CancelAsync).WithSummary("Stops a job within one example.");
    }

    private static async Task SubmitAsync(HttpContext context, ModelRequest model)
    {
        Submission? asked;
        try
        {
            asked = await context.Request.ReadFromJsonAsync<Submission>(new JsonSerializerOptions(JsonSerializerDefaults.Web) { UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow }, context.RequestAborted).ConfigureAwait(false);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new ModelZooException("request.malformed", $"The body is not the JSON that was expected: {error.Message}", error) { Expected = "{\"data\": \"path\", \"metrics\": [...], \"limit\": n, \"seed\": n, \"options\": {...}}" };
        }

        if (asked?.Data is null) throw new ModelZooException("request.malformed", "An evaluation needs a data set.") { Where = "data", Expected = "a path within the server's data folder" };
        if (asked.Limit is < 1) throw new OptionsException(ErrorCodes.OptionRange, "The limit is a number of examples.") { Where = "limit", Expected = "1 or more" };
        context.RequestServices.GetRequiredService<ModelResolver>().Resolve(model);
        var job = await context.RequestServices.GetRequiredService<EvaluationJobs>().SubmitAsync(new(model, asked.Data, asked.Metrics, asked.Limit, asked.Seed, asked.Options ?? []) { Terms = RequestTermsReader.Of(context) }, context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        context.Response.Headers.Location = $"/v1/jobs/{job.Id}";
        await context.Response.WriteAsJsonAsync(job.ToJson(), context.RequestAborted).ConfigureAwait(false);
    }

    private static async Task WatchAsync(HttpContext context, string id, EvaluationJobs jobs)
    {
        var cancel = context.RequestAborted;
        var job = jobs.Running(id);
        var last = job is null ? await jobs.ShowAsync(id, cancel).ConfigureAwait(false) : null;
        var events = await ServerSentEvents.StartAsync(context).ConfigureAwait(false);
        while (job is { State: JobState.Running })
        {
            var changed = job.Changed;
            if (job.State != JobState.Running) break;
            await events.WriteAsync("progress", new JsonObject { ["done"] = job.Done, ["total"] = job.Total }, cancel).ConfigureAwait(false);
            await changed.WaitAsync(cancel).ConfigureAwait(false);
        }

        last ??= job!.ToJson();
        await events.WriteAsync((string?)last["state"] == "done" ? "final" : "error", last, cancel).ConfigureAwait(false);
    }

    private static async Task<IResult> CancelAsync(string id, EvaluationJobs jobs, CancellationToken cancel)
    {
        if (jobs.Running(id) is not { State: JobState.Running } job)
        {
            await jobs.ShowAsync(id, cancel).ConfigureAwait(false); // says so when there is none
            throw new ModelZooException("job.ended", "The job has ended already.") { Where = id };
        }

        job.Cancel();
        return TypedResults.Accepted($"/v1/jobs/{id}", job.ToJson());
    }
}
