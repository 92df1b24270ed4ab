using System.CommandLine;
using System.Text.Json.Nodes;
using ModelZoo.Host.Replay;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo replay</c>: does a recorded run again and compares the result bit for bit.</summary>
internal static class ReplayCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var result = new Argument<string>("RESULT") { Description = "A .run.json file, the result that it lies beside, or the report of an evaluation." };
        var json = new Option<bool>("--json") { Description = "Write JSON." };
        var command = new ZooCommand("replay", "Does a recorded run again: the same bits on the same device, or what differs.", "modelzoo replay seven.png.run.json", "modelzoo replay report.json") { result, json };
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var path = parsed.GetRequiredValue(result);
            var record = RunRecord.Read(File.Exists(path + ".run.json") ? path + ".run.json" : path);
            var outcome = await services.GetRequiredService<Replayer>().ReplayAsync(record, cancel).ConfigureAwait(false);
            if (parsed.GetValue(json))
            {
                terminal.WriteJson(new JsonObject { ["same"] = outcome.IsSame, ["sha256"] = outcome.Found, ["expected_sha256"] = outcome.Expected, ["differences"] = new JsonArray([.. outcome.Differences.Select(line => (JsonNode)line)]) });
            }
            else
            {
                terminal.Writer.WriteLine(outcome.IsSame ? $"{outcome.What}: the same, bit for bit" : $"{outcome.What}: another result");
                foreach (var line in outcome.Differences) terminal.Writer.WriteLine("  " + line);
                if (!outcome.IsSame && outcome.Differences.Count == 0) terminal.Writer.WriteLine("  nothing that is recorded differs: the model is not deterministic");
            }

            return outcome.IsSame ? ExitCodes.Ok : ExitCodes.Failed;
        });
    }
}
