using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Evaluation;
using ModelZoo.Host.Media;
using ModelZoo.Host.Models;
using ModelZoo.Host.Replay;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Terminal;

namespace ModelZoo.Host.Shards;

/// <summary>Many things to generate as somebody asks for them.</summary>
/// <param name="Model">The model.</param>
/// <param name="Prompts">File of prompts, as <see cref="PromptFile"/> reads it.</param>
/// <param name="Folder">Where the results go, named by their place.</param>
/// <param name="Seed">Seed of the first; each has the next.</param>
/// <param name="Options">Options of the model.</param>
internal sealed record GenerationRequest(ModelRequest Model, string Prompts, string Folder, ulong Seed, JsonObject Options);

/// <summary>All that is settled before the first is generated.</summary>
/// <param name="Prompts">The file of prompts, as it was asked for.</param>
/// <param name="Extension">The extension of the results.</param>
/// <param name="Run">The run without its prompt.</param>
internal sealed record GenerationPlan(string Prompts, string Extension, RunRecord Run);

/// <summary>Generates a file for each prompt, all of them or a share. Each result is alone: with its seed `modelzoo generate` gives the same. What was generated before a process was killed is not done again.</summary>
internal sealed class GenerationShards(ModelVerbs verbs, MediaFiles media)
{
    /// <summary>Name of a share's file within the folder.</summary>
    public static string FileName(Shard shard) => $"shard-{shard.Index}-of-{shard.Count}.jsonl";

    /// <summary>Generates all and gives the manifest.</summary>
    public async Task<JsonObject> GenerateAsync(GenerationRequest request, Action<int, int?> progress, CancellationToken cancel)
    {
        var plan = await PlanAsync(request, cancel).ConfigureAwait(false);
        var parts = new List<ShardPart>();
        await RunAsync(request, plan, Shard.Whole, part =>
        {
            parts.Add(part);
            return ValueTask.CompletedTask;
        }, progress, cancel).ConfigureAwait(false);
        return await ManifestAsync(plan, parts.ToAsyncEnumerable(), cancel).ConfigureAwait(false);
    }

    /// <summary>Generates a share, and writes its list beside the results.</summary>
    /// <returns>The list's path.</returns>
    public async Task<string> GenerateAsync(GenerationRequest request, Shard shard, Action<int, int?> progress, CancellationToken cancel)
    {
        var plan = await PlanAsync(request, cancel).ConfigureAwait(false);
        var path = Path.Combine(request.Folder, FileName(shard));
        await ShardFile.WriteAsync(path, ShardHeader.Of(shard, plan), add => RunAsync(request, plan, shard, add, progress, cancel), cancel).ConfigureAwait(false);
        return path;
    }

    /// <summary>The manifest of the whole.</summary>
    public static Task<JsonObject> MergeAsync(ShardSet shards, CancellationToken cancel)
    {
        var plan = shards.Header.Read<GenerationPlan>();
        return ManifestAsync(plan with { Run = plan.Run with { Provenance = plan.Run.Provenance with { Machine = shards.Machines } } }, shards.ReadAsync(cancel), cancel);
    }

    private async Task<GenerationPlan> PlanAsync(GenerationRequest request, CancellationToken cancel)
    {
        var model = await verbs.DescribeAsync<IGenerate, Modality>(request.Model, "generate", request.Options, generator => generator.GenerateOptions, static (generator, _) => generator.Makes, cancel).ConfigureAwait(false);
        return new(request.Prompts, MediaFiles.Extension(model.Value), new()
        {
            Verb = "generate", Model = model.Model.ToString(), Checkpoint = request.Model.Checkpoint, Device = model.Provenance.Device, Options = JsonSerializer.SerializeToElement(request.Options), Seed = request.Seed, Provenance = model.Provenance,
        });
    }

    private async Task<int> RunAsync(GenerationRequest request, GenerationPlan plan, Shard shard, Func<ShardPart, ValueTask> add, Action<int, int?> progress, CancellationToken cancel)
    {
        var all = PromptFile.Read(request.Prompts, request.Seed);
        foreach (var item in all)
        {
            progress(item.Ordinal, all.Count);
            if (shard.Has(item.Ordinal, batch: 1)) await add(await OneAsync(request, plan, item, cancel).ConfigureAwait(false)).ConfigureAwait(false);
        }

        return all.Count;
    }

    private async Task<ShardPart> OneAsync(GenerationRequest request, GenerationPlan plan, PromptRequest item, CancellationToken cancel)
    {
        var inputs = new List<Contracts.Media>();
        foreach (var input in item.Inputs) inputs.Add(await media.ReadAsync(input, cancel).ConfigureAwait(false));
        var run = plan.Run with { Prompt = item.Prompt, Seed = item.Seed, Inputs = [.. item.Inputs.Select(RecordedFile.Of)] };
        var name = item.Ordinal.ToString("000000", CultureInfo.InvariantCulture) + plan.Extension;
        var file = Path.Combine(request.Folder, name);
        if (!IsDone(file, run))
        {
            var result = await GenerateAsync(request, item, inputs, cancel).ConfigureAwait(false);
            await OutputFile.WriteAsync(file, stream => MediaFiles.Write(stream, result.Value, file), cancel).ConfigureAwait(false);
            await OutputFile.WriteAsync(file + ".run.json", (run with { Output = RecordedFile.Of(file) }).ToText(), cancel).ConfigureAwait(false);
        }

        return new(item.Ordinal, [item.Digest(run.Inputs)], new() { ["index"] = item.Ordinal, ["prompt"] = item.Prompt, ["seed"] = item.Seed, ["file"] = name, ["sha256"] = RecordedFile.Of(file).Sha256 });
    }

    private async Task<VerbResult<Contracts.Media>> GenerateAsync(GenerationRequest request, PromptRequest item, IReadOnlyList<Contracts.Media> inputs, CancellationToken cancel)
    {
        try
        {
            return await verbs.GenerateAsync(request.Model, new(item.Prompt, inputs), request.Options, item.Seed, static _ => { }, cancel).ConfigureAwait(false);
        }
        catch (MediaException error)
        {
            throw new MediaException(error.Code, error.What, error) { Where = error.Where is null ? item.Where : $"{item.Where}: {error.Where}", Expected = error.Expected, Found = error.Found, Remedy = error.Remedy };
        }
    }

    // The record beside a file is written after it, and names its digest.
    private static bool IsDone(string file, RunRecord run)
    {
        try
        {
            return File.Exists(file) && File.Exists(file + ".run.json")
                && JsonDifferences.Between(RunRecord.Read(file + ".run.json").ToJson(), (run with { Output = RecordedFile.Of(file) }).ToJson()).All(difference => difference.Path == "provenance/machine");
        }
        catch (ModelZooException)
        {
            return false; // no record that can be read
        }
    }

    private static async Task<JsonObject> ManifestAsync(GenerationPlan plan, IAsyncEnumerable<ShardPart> parts, CancellationToken cancel)
    {
        using var digest = new DataDigest();
        var results = new JsonArray();
        await foreach (var part in parts.WithCancellation(cancel).ConfigureAwait(false))
        {
            foreach (var item in part.Items) digest.Add(item);
            results.Add((JsonNode)part.Results);
        }

        return new()
        {
            ["format"] = "modelzoo.generations/1",
            ["model"] = plan.Run.Model,
            ["prompts"] = new JsonObject { ["path"] = plan.Prompts, ["count"] = digest.Examples, ["sha256"] = digest.ToString() },
            ["seed"] = plan.Run.Seed,
            ["results"] = results,
            ["run"] = plan.Run.ToJson(),
        };
    }
}
