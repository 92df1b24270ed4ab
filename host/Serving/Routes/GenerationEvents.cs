using System.Text.Json.Nodes;
using System.Threading.Channels;
using ModelZoo.Contracts;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving.Routes;

/// <summary>A generation as server-sent events: queued, progress, partial, and at last final or error.</summary>
internal static class GenerationEvents
{
    // A client that reads slowly loses progress in between, never the result; the model does not wait for it.
    private const int Backlog = 16;

    /// <summary>Runs a generation and writes what it says on its way.</summary>
    public static async Task WriteAsync(HttpContext context, Func<Action<Generation>, Task<VerbResult<Contracts.Media>>> generate, Func<VerbResult<Contracts.Media>, JsonObject> final)
    {
        var steps = Channel.CreateBounded<Generation>(new BoundedChannelOptions(Backlog) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        var cancel = context.RequestAborted;
        var events = await ServerSentEvents.StartAsync(context).ConfigureAwait(false);
        await events.WriteAsync("queued", new JsonObject(), cancel).ConfigureAwait(false);
        var run = RunAsync();
        try
        {
            await foreach (var step in steps.Reader.ReadAllAsync(cancel).ConfigureAwait(false))
            {
                if (step.IsFinal) continue;
                var json = new JsonObject { ["step"] = step.Step, ["steps"] = step.Steps };
                if (step.Value is { } preview) json["output"] = MediaJson.Write(preview);
                await events.WriteAsync(step.Value is null ? "progress" : "partial", json, cancel).ConfigureAwait(false);
            }

            await events.WriteAsync("final", final(await run.ConfigureAwait(false)), cancel).ConfigureAwait(false);
        }
        catch (Exception error) when (!cancel.IsCancellationRequested)
        {
            var known = Problems.Known(error) ?? new ModelZooException("server.failed", "The server failed; its log says why.");
            await events.WriteAsync("error", Problems.Document(Problems.Status(known, error), known), cancel).ConfigureAwait(false);
        }
        finally
        {
            await ((Task)run).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // the model is free before the request ends
        }

        async Task<VerbResult<Contracts.Media>> RunAsync()
        {
            try
            {
                return await generate(step => steps.Writer.TryWrite(step)).ConfigureAwait(false);
            }
            finally
            {
                steps.Writer.Complete();
            }
        }
    }
}
