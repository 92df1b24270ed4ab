using System.CommandLine;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;
using ModelZoo.Host.Models;
using ModelZoo.Host.Replay;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo replay</c>: does a recorded run again and compares the result bit for bit.</summary>
internal static class ReplayCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var result = new Argument<string>("RESULT") { Description = "A .run.json file, or the result that it lies beside." };
        var json = new Option<bool>("--json") { Description = "Write JSON." };
        var command = new ZooCommand("replay", "Does a recorded run again: the same bits on the same device, or what differs.", "modelzoo replay seven.png.run.json") { result, json };
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var path = parsed.GetRequiredValue(result);
            var record = RunRecord.Read(File.Exists(path + ".run.json") ? path + ".run.json" : path);
            if (record.Output is not { } expected) throw new ModelZooException("replay.malformed", "This run wrote no file to compare with.") { Where = path };
            foreach (var input in record.Inputs)
            {
                if (!File.Exists(input.Path) || RecordedFile.Of(input.Path).Sha256 != input.Sha256)
                    throw new ModelZooException("replay.input-changed", "An input is not what it was.") { Where = input.Path, Expected = $"SHA-256 {input.Sha256}", Found = File.Exists(input.Path) ? $"SHA-256 {RecordedFile.Of(input.Path).Sha256}" : "no such file" };
            }

            var (media, provenance) = await RunAsync(record, services, cancel).ConfigureAwait(false);
            using var bytes = new MemoryStream();
            MediaFiles.Write(bytes, media, expected.Path);
            var digest = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes.GetBuffer().AsSpan(0, (int)bytes.Length)));
            var same = digest == expected.Sha256;
            var differences = record.Provenance.Differences(provenance).ToList();
            if (parsed.GetValue(json))
            {
                terminal.WriteJson(new JsonObject { ["same"] = same, ["sha256"] = digest, ["expected_sha256"] = expected.Sha256, ["differences"] = new JsonArray([.. differences.Select(line => (JsonNode)line)]) });
            }
            else
            {
                terminal.Writer.WriteLine(same ? $"{expected.Path}: the same, bit for bit" : $"{expected.Path}: another result");
                foreach (var line in differences) terminal.Writer.WriteLine("  " + line);
                if (!same && differences.Count == 0) terminal.Writer.WriteLine("  nothing that is recorded differs: the model is not deterministic");
            }

            return same ? ExitCodes.Ok : ExitCodes.Failed;
        });
    }

    private static async Task<(Contracts.Media, Provenance)> RunAsync(RunRecord record, IServiceProvider services, CancellationToken cancel)
    {
        var (verbs, files) = (services.GetRequiredService<ModelVerbs>(), services.GetRequiredService<MediaFiles>());
        var request = new ModelRequest(ModelId.Parse(record.Model), record.Checkpoint, record.Device);
        var options = JsonObject.Create(record.Options) ?? [];
        var inputs = new List<Contracts.Media>();
        foreach (var input in record.Inputs) inputs.Add(await files.ReadAsync(input.Path, cancel).ConfigureAwait(false));
        switch (record.Verb)
        {
            case "tokenize":
                var tokens = await verbs.TokenizeAsync(request, inputs.Count > 0 ? inputs[0] : new Text(record.Prompt ?? ""), options, cancel).ConfigureAwait(false);
                return (tokens.Value, tokens.Provenance);
            case "detokenize":
                var media = await verbs.DetokenizeAsync(request, inputs[0].Expect<Tokens>(), options, cancel).ConfigureAwait(false);
                return (media.Value, media.Provenance);
            case "generate":
                var made = await verbs.GenerateAsync(request, new(record.Prompt, inputs), options, record.Seed, static _ => { }, cancel).ConfigureAwait(false);
                return (made.Value, made.Provenance);
            default:
                throw new ModelZooException("replay.malformed", $"'{record.Verb}' is not a verb that is replayed.") { Expected = "tokenize, detokenize or generate" };
        }
    }
}
