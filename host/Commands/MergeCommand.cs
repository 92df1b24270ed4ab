using System.CommandLine;
using ModelZoo.Host.Replay;
using ModelZoo.Host.Shards;
using ModelZoo.Host.Terminal;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo merge</c>.</summary>
internal static class MergeCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var files = new Argument<string[]>("SHARD") { Description = "The files of all shards, in any order.", Arity = ArgumentArity.OneOrMore };
        var output = new Option<string>("--out") { Description = "Write the result to this file as JSON.", HelpName = "FILE", Required = true };
        var json = new Option<bool>("--json") { Description = "Write the result as JSON." };
        var command = new ZooCommand("merge", "Makes one result of the shards that `evaluate --shard` and `generate --shard` wrote: the very result of one process. A shard that is missing, torn, there twice or of something else is refused.",
            "modelzoo evaluate speech/encodec.8khz --data recordings --shard 1/2 --out shard-1.jsonl", "modelzoo evaluate speech/encodec.8khz --data recordings --shard 2/2 --out shard-2.jsonl", "modelzoo merge shard-*.jsonl --out report.json", "modelzoo merge pictures/shard-*.jsonl --out pictures/manifest.json") { files, output, json };
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var shards = await ShardSet.OpenAsync(parsed.GetRequiredValue(files), cancel).ConfigureAwait(false);
            await using var _ = shards.ConfigureAwait(false);
            var target = parsed.GetRequiredValue(output);
            if (shards.Header.Verb == "evaluate")
            {
                var report = await services.GetRequiredService<EvaluationShards>().MergeAsync(shards, cancel).ConfigureAwait(false);
                await OutputFile.WriteAsync(target, report.ToText(), cancel).ConfigureAwait(false);
                if (parsed.GetValue(json)) terminal.WriteJson(report.ToJson());
                else EvaluationTable.Write(terminal, report, $"{shards.Header.Shard.Count} shards");
            }
            else
            {
                var manifest = await GenerationShards.MergeAsync(shards, cancel).ConfigureAwait(false);
                await OutputFile.WriteAsync(target, manifest.ToJsonString(RunRecord.Json) + "\n", cancel).ConfigureAwait(false);
                if (parsed.GetValue(json)) terminal.WriteJson(manifest);
                else terminal.Writer.WriteLine($"{target}: {manifest["results"]!.AsArray().Count} results of {shards.Header.Shard.Count} shards");
            }

            return ExitCodes.Ok;
        });
    }
}
