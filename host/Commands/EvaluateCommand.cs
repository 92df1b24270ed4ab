using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Host.Evaluation;
using ModelZoo.Host.Replay;
using ModelZoo.Host.Terminal;
using Spectre.Console;

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
        var output = new Option<string?>("--out") { Description = "Write the report to this file as JSON.", HelpName = "FILE" };
        var model = new ModelArguments();
        var command = new ZooCommand("evaluate", "Runs a model over a data set: metrics with n and 95 % confidence interval, a column for each setting.",
            "modelzoo evaluate speech/encodec.8khz --data samples/encodec-8khz/recordings", "modelzoo evaluate speech/encodec.8khz --data recordings --metrics si-sdr --limit 10 --out report.json", "modelzoo replay report.json") { data, metrics, limit, seed, output };
        model.AddTo(command);
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            if (parsed.GetValue(limit) is < 1) throw new OptionsException(ErrorCodes.OptionRange, "The limit is a number of examples.") { Where = "--limit", Expected = "1 or more" };
            var given = model.Given(parsed);
            var names = parsed.GetValue(metrics)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            EvaluationReport report;
            using (var progress = new ProgressLine(terminal.Error, "evaluating"))
            {
                report = await services.GetRequiredService<Evaluator>().EvaluateAsync(model.Request(parsed), parsed.GetRequiredValue(data), names, parsed.GetValue(limit), given, parsed.GetValue(seed),
                    (done, of) => progress.Report(done, of), cancel).ConfigureAwait(false);
            }

            var run = new RunRecord
            {
                Verb = "evaluate", Model = report.Model.ToString(), Checkpoint = model.Request(parsed).Checkpoint, Device = report.Provenance.Device, Options = JsonSerializer.SerializeToElement(given), Seed = report.Seed,
                Provenance = report.Provenance,
                Evaluation = new(Path.GetFullPath(parsed.GetRequiredValue(data)), report.Data.Sha256, parsed.GetValue(limit), names, JsonSerializer.SerializeToElement(report.Figures())),
            };
            var json = report.ToJson(run.ToJson());
            if (parsed.GetValue(output) is { } target) await OutputFile.WriteAsync(target, json.ToJsonString(new() { WriteIndented = true }) + "\n", cancel).ConfigureAwait(false);
            if (parsed.GetValue(model.Json)) terminal.WriteJson(json);
            else Write(terminal, report);
            return ExitCodes.Ok;
        });
    }

    private static void Write(Terminal.Terminal terminal, EvaluationReport report)
    {
        var table = new Table { Border = TableBorder.Rounded };
        table.AddColumn("metric");
        foreach (var group in report.Groups) table.AddColumn(new TableColumn(Markup.Escape(group.Length == 0 ? "value" : group)).RightAligned());
        table.AddColumn(new TableColumn("n").RightAligned());
        foreach (var metric in report.Metrics)
        {
            var unit = metric.Metric.Unit.Length == 0 ? "" : $" ({metric.Metric.Unit})";
            table.AddRow([.. new[] { Markup.Escape(metric.Metric.Name + unit) }, .. report.Groups.Select(group => Markup.Escape(Figure(metric.Values.GetValueOrDefault(group)))), Counts(metric)]);
        }

        terminal.Output.Write(table);
        terminal.Writer.WriteLine($"{report.Model} on {report.Data.Examples} examples of {report.Data.Path} ({report.Data.Layout}, SHA-256 {report.Data.Sha256[..12]}), seed {report.Seed}, {report.Provenance.Device}, {report.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)} s");
    }

    private static string Figure(MetricValue? value) => value is null ? "-"
        : value.Value.ToString("0.####", CultureInfo.InvariantCulture) + (value.Confidence is { } half ? " ± " + half.ToString("0.###", CultureInfo.InvariantCulture) : "");

    private static string Counts(MeasuredMetric metric) => string.Join(", ", metric.Values.Values.Select(value => value.LeftOut > 0 ? $"{value.Count} (left out {value.LeftOut})" : $"{value.Count}").Distinct());
}
