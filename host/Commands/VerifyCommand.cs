using System.CommandLine;
using System.Globalization;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Verification;
using ModelZoo.Inference;
using ModelZoo.Networks.Parity;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo verify</c>: runs parity cases.</summary>
internal static class VerifyCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var paths = new Argument<string[]>("PATH") { Description = "Folders of parity cases, or folders above them.", Arity = ArgumentArity.OneOrMore };
        var device = new Option<string>("--device") { Description = "cpu, webgpu[:n], cuda[:n], tensorrt[:n] or auto.", HelpName = "D", DefaultValueFactory = _ => "cpu" };
        var precision = ModelArguments.PrecisionOption();
        precision.Description += " An output may differ by 1 % with int8 and by 15 % with int4 where its case allows less; what must be equal must be equal. Parity states in `list` are those of float32.";
        var json = new Option<bool>("--json") { Description = "One line of JSON a case." };
        var table = new Option<bool>("--table") { Description = "A table in Markdown, a row a family, after all cases have run." };
        var command = new ZooCommand("verify", "Runs parity cases: the model must compute what the authors' own code did. Exit code 0 only if every case passes.",
            "modelzoo verify tests/parity", "modelzoo verify ../shared/parity/speech/encodec --device webgpu", "modelzoo verify ../shared/parity --json > parity.jsonl", "modelzoo verify ../shared/parity --table", "modelzoo verify ../shared/parity/components --precision int8") { paths, device, precision, json, table };
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var folders = parsed.GetRequiredValue(paths).SelectMany(ParityCase.Find).Distinct().ToList();
            var name = Inference.Device.Parse(parsed.GetRequiredValue(device)).ToString();
            var kept = ModelArguments.Parse(parsed.GetValue(precision)) ?? WeightPrecision.Float32;
            var catalog = services.GetRequiredService<PluginCatalog>();
            var runner = new ParityRunner(id => catalog.Find(id)?.Architecture, services.GetRequiredService<PluginServices>(), name) { Precision = kept };
            var reports = new List<ParityReport>();
            var rows = !parsed.GetValue(json) && !parsed.GetValue(table);
            if (rows) terminal.Writer.WriteLine(Row("model", "case", "worst output", "difference", "tolerance", "verdict"));
            foreach (var folder in folders)
            {
                var report = await runner.RunAsync(folder, cancel).ConfigureAwait(false);
                reports.Add(report);
                if (parsed.GetValue(json)) terminal.WriteJsonLine(report.ToJson());
                else if (rows) Write(terminal, report);
            }

            if (parsed.GetValue(table)) foreach (var line in ParityTable.Markdown(reports)) terminal.Writer.WriteLine(line);

            if (kept == WeightPrecision.Float32) services.GetRequiredService<ParityLedger>().Record(reports, name, model => catalog.Find(Contracts.ModelId.Parse(model)) is { } found ? found.Plugin.Digest.Value : null, services.GetRequiredService<TimeProvider>().GetUtcNow());
            if (folders.Count == 0) terminal.Error.MarkupLine("[red]error[/] There are no cases (folders with case.json) here.");
            var counts = reports.GroupBy(report => report.Status).OrderBy(group => group.Key).Select(group => $"{group.Count()} {group.Key.ToString().ToLowerInvariant()}");
            terminal.Error.MarkupLineInterpolated($"{reports.Count} cases: {string.Join(", ", counts)}");
            return reports.Count > 0 && reports.TrueForAll(report => report.Status == ParityStatus.Pass) ? ExitCodes.Ok : ExitCodes.Failed;
        });
    }

    private static void Write(Terminal.Terminal terminal, ParityReport report)
    {
        var worst = report.Worst;
        terminal.Writer.WriteLine(Row(report.Model, report.Case.Split('/')[^1], worst?.Name ?? "", worst is null ? "" : Number(worst.Difference), worst is null ? "" : worst.Exact ? "exact" : Number(worst.Tolerance), Verdict(report)));
        if (report.Message is not null) terminal.Writer.WriteLine($"    {report.Message}");
    }

    // With weights of fewer bits it says by what it was judged.
    private static string Verdict(ParityReport report)
    {
        var status = report.Status.ToString().ToLowerInvariant();
        return report is { Precision: not WeightPrecision.Float32, Status: ParityStatus.Pass or ParityStatus.Fail }
            ? string.Create(CultureInfo.InvariantCulture, $"{status} at {report.Precision.Name()}, {report.Precision.Tolerance() * 100:0} %")
            : status;
    }

    private static string Row(string model, string name, string output, string difference, string tolerance, string verdict) =>
        $"{model,-40} {name,-24} {output,-28} {difference,10} {tolerance,10}  {verdict}";

    private static string Number(double value) => double.IsNaN(value) ? "-" : value == 0 ? "0" : value.ToString("0.0e+0", CultureInfo.InvariantCulture);
}
