using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Models;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving.Routes;

/// <summary>What probes, scrapers and administrators ask.</summary>
internal static class OperationRoutes
{
    private static readonly byte[] Live = """{"live":true}"""u8.ToArray();

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/live", () => TypedResults.Bytes(Live, MediaTypes.Json)).WithMetadata(new Doorkeeper.Open()).WithSummary("200 while the process answers.");
        routes.MapGet("/ready", Ready).WithMetadata(new Doorkeeper.Open()).WithSummary("200 when plugins serve and warm models are open, else 503; with states and parity.");
        routes.MapGet("/metrics", (PrometheusText metrics) => TypedResults.Text(metrics.Write(), PrometheusText.ContentType)).WithSummary("Counters for Prometheus.").ExcludeFromDescription();

        var admin = routes.MapGroup("/v1/admin").WithMetadata(new Doorkeeper.Administration());
        admin.MapGet("/plugins", (PluginCatalog catalog) => new JsonArray([.. catalog.Plugins.Select(Plugin)])).WithSummary("The plugins and their states.");
        admin.MapGet("/configuration", Configuration).WithSummary("The configuration that counts, and why the files as they stand are not used, if they are not.");
        admin.MapPost("/reload", async (Reloader reloader, LiveManifest manifest, CancellationToken cancel) =>
        {
            await reloader.ReloadAsync(cancel).ConfigureAwait(false);
            return Configuration(reloader, manifest);
        }).WithSummary("Reads the manifest and the files of keys again: plugins, models, budgets, queue and keys take effect and no request is lost. A file that cannot be used changes nothing: 422 with file and line.");
        admin.MapPost("/models/{family}/{name}/load", LoadAsync).WithSummary("Opens a model now.");
        admin.MapPost("/models/{family}/{name}/unload", UnloadAsync).WithSummary("Lets a model go as soon as nobody uses it.");
    }

    /// <summary>A plugin's state as JSON.</summary>
    public static JsonNode Plugin(PluginRecord plugin) => new JsonObject
    {
        ["name"] = plugin.Name, ["version"] = plugin.Inspection?.Version.ToString(3), ["state"] = plugin.State.ToString().ToLowerInvariant(), ["reason"] = plugin.Reason, ["load_ms"] = plugin.LoadTime.TotalMilliseconds,
    };

    private static JsonObject Configuration(Reloader reloader, LiveManifest manifest)
    {
        var (current, queue) = (manifest.Current, manifest.Queue);
        return new()
        {
            ["files"] = new JsonArray([.. current.Files.Select(file => (JsonNode)file)]),
            ["read_at"] = reloader.ReadAt,
            ["refused"] = reloader.Refused is { } error ? Problems.Document(Problems.Status(error), error) : null,
            ["device"] = current.Device ?? "cpu",
            ["models"] = new JsonArray([.. current.Models.Keys.Select(id => (JsonNode)id.ToString())]),
            ["memory"] = new JsonObject(current.Memory.Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, pair.Value))),
            ["queue"] = new JsonObject
            {
                ["concurrency"] = queue.Concurrency, ["batch"] = queue.Batch, ["limit"] = queue.Limit, ["deadlineSeconds"] = queue.Deadline.TotalSeconds, ["ageingSeconds"] = queue.Ageing.TotalSeconds,
            },
        };
    }

    private static IResult Ready(PluginCatalog catalog, ModelDirectory directory, Readiness readiness)
    {
        var ready = readiness.IsReady;
        var json = new JsonObject
        {
            ["ready"] = ready,
            ["plugins"] = new JsonObject(catalog.Plugins.DistinctBy(plugin => plugin.Name).Select(plugin => KeyValuePair.Create<string, JsonNode?>(plugin.Name, plugin.State.ToString().ToLowerInvariant()))),
            ["models"] = new JsonObject(directory.Entries(all: false).Where(entry => entry.Source is not null).Select(entry => KeyValuePair.Create<string, JsonNode?>(entry.Id, new JsonObject { ["state"] = entry.State, ["parity"] = entry.Parity }))),
        };
        return TypedResults.Json(json, statusCode: ready ? 200 : 503);
    }

    private static async Task<IResult> LoadAsync(string family, string name, ModelPool pool, CancellationToken cancel)
    {
        using var lease = await pool.AcquireAsync(new(ModelId.Parse($"{family}/{name}")), cancel).ConfigureAwait(false);
        return TypedResults.Ok(new JsonObject { ["id"] = lease.Resident.Id.ToString(), ["state"] = "open" });
    }

    private static async Task<IResult> UnloadAsync(string family, string name, ModelPool pool, CancellationToken cancel)
    {
        var id = ModelId.Parse($"{family}/{name}");
        var unloaded = await pool.RetireAsync(id).WaitAsync(cancel).ConfigureAwait(false);
        return TypedResults.Ok(new JsonObject { ["id"] = id.ToString(), ["state"] = unloaded ? "unloaded" : "not open" });
    }
}
