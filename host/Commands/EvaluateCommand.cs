using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Evaluation;
using ModelZoo.Host.Shards;
using ModelZoo.Host.Terminal;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo evaluate</c>.</summary>
internal static class EvaluateCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var data = new Option<string>("--data") { Description = "Folder or file of the data set.", HelpName = "DIR", Required = true };
        var metrics = new Option<string?>("--metrics") { Description = "Metrics by name, with commas; without it the model's own. `modelzoo list --metrics` shows them.", HelpName = "a,b" };
        var limit = new Option<int?>("--limit") { Description = "Use at most so many examples.", HelpName = "N" };
        var seed = new Option<ulong>("--seed") { Description = "Seed of whatever is drawn.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var shard = new Option<string?>("--shard") { Description = "Observe one of n equal shares of the data set only, and write the observations to --out; `modelzoo merge` makes the report of all.", HelpName = "i/n" };
        var output = new Option<string?>("--out") { Description = "Write the report to this file as JSON; of a shard, its observations.", HelpName = "FILE" };
        var model = new ModelArguments();
        var command = new ZooCommand("evaluate", "Runs a model over a data set: metrics with n and 95 % confidence interval, a column for each setting.",
            "modelzoo evaluate speech/encodec.8khz --data samples/encodec-8khz/recordings", "modelzoo evaluate speech/encodec.8khz --data recordings --metrics si-sdr --limit 10 --out report.json", "modelzoo replay report.json", "modelzoo evaluate text-tokenizers/qtok --checkpoint tokenizers/ --data corpus/",
            "modelzoo evaluate speech/encodec.8khz --data recordings --shard 1/4 --out shard-1.jsonl") { data, metrics, limit, seed, shard, output };
        model.AddTo(command);
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            if (parsed.GetValue(limit) is < 1) throw new OptionsException(ErrorCodes.OptionRange, "The limit is a number of examples.") { Where = "--limit", Expected = "1 or more" };
            var names = parsed.GetValue(metrics)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            var request = new EvaluationRequest(model.Request(parsed), parsed.GetRequiredValue(data), names, parsed.GetValue(limit), parsed.GetValue(seed), model.Given(parsed));
            if (parsed.GetValue(shard) is { } share) return await ObserveAsync(services, request, Shard.Parse(share), parsed.GetValue(output)).ConfigureAwait(false);

            var started = Stopwatch.GetTimestamp();
            EvaluationReport report;
            using (var progress = new ProgressLine(terminal.Error, "evaluating"))
                report = await services.GetRequiredService<Evaluator>().EvaluateAsync(request, (done, of) => progress.Report(done, of), cancel).ConfigureAwait(false);
            if (parsed.GetValue(output) is { } target) await OutputFile.WriteAsync(target, report.ToText(), cancel).ConfigureAwait(false);
            if (parsed.GetValue(model.Json)) terminal.WriteJson(report.ToJson());
            else EvaluationTable.Write(terminal, report, string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s"));
            return ExitCodes.Ok;

            async Task<int> ObserveAsync(IServiceProvider services, EvaluationRequest request, Shard share, string? file)
            {
                if (file is null) throw new OptionsException(ErrorCodes.OptionRange, "A shard needs a file for its observations.") { Where = "--out", Remedy = "`modelzoo merge` makes the report of the files." };
                using var progress = new ProgressLine(terminal.Error, "evaluating");
                var fresh = await services.GetRequiredService<EvaluationShards>().ObserveAsync(request, share, file, (done, of) => progress.Report(done, of), cancel).ConfigureAwait(false);
                if (parsed.GetValue(model.Json)) terminal.WriteJson(new JsonObject { ["shard"] = share.ToString(), ["file"] = file, ["was_complete"] = !fresh });
                else terminal.Writer.WriteLine(fresh ? $"{file}: shard {share}" : $"{file}: shard {share} was complete already");
                return ExitCodes.Ok;
            }
        });
    }
}
