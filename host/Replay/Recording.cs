using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Replay;

/// <summary>Makes the record of a run.</summary>
internal static class Recording
{
    public static RunRecord Make<T>(string verb, ModelRequest request, VerbResult<T> result, JsonObject options, IEnumerable<string> inputs, string? output, ulong seed, string? prompt) => new()
    {
        Verb = verb,
        Model = result.Model.ToString(),
        Checkpoint = request.Checkpoint,
        Device = result.Provenance.Device,
        Options = JsonSerializer.SerializeToElement(options),
        Seed = seed,
        Prompt = prompt,
        Inputs = [.. inputs.Select(RecordedFile.Of)],
        Output = output is null ? null : RecordedFile.Of(output),
        Provenance = result.Provenance,
    };
}
