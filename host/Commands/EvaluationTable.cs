using System.Globalization;
using ModelZoo.Contracts;
using ModelZoo.Host.Evaluation;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary>A report of an evaluation as a table: a row a metric, a column a setting.</summary>
internal static class EvaluationTable
{
    private const int MostParts = 16;      // longer lists are for programs

    /// <summary>Writes a report.</summary>
    /// <param name="terminal">Where to.</param>
    /// <param name="report">What was measured.</param>
    /// <param name="how">How long it took, or of what it was merged.</param>
    public static void Write(Terminal.Terminal terminal, EvaluationReport report, string how)
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
        foreach (var metric in report.Metrics)
        {
            foreach (var group in report.Groups)
            {
                if (metric.Values.GetValueOrDefault(group) is { Parts: { Count: > 0 and <= MostParts } parts })
                    terminal.Writer.WriteLine($"{metric.Metric.Name}{(group.Length == 0 ? "" : $" ({group})")}: {string.Join(", ", parts.Select(part => $"{part.Key} {Number(part.Value)}"))}");
            }
        }

        terminal.Writer.WriteLine($"{report.Run.Model} on {report.Data.Examples} examples of {report.Data.Path} ({report.Data.Layout}, SHA-256 {report.Data.Sha256[..12]}), seed {report.Run.Seed}, {report.Run.Device}, {how}");
    }

    /// <summary>A value and its confidence, as people read them.</summary>
    public static string Figure(MetricValue? value) => value is null ? "-" : Number(value.Value) + (value.Confidence is { } half ? " ± " + Number(half) : "");

    // Four decimals, but small numbers keep three digits; what is left of equal things by rounding is nothing.
    private static string Number(double value) => Math.Abs(value) switch
    {
        < 1e-9 => "0",
        < 0.001 => value.ToString("G3", CultureInfo.InvariantCulture),
        _ => value.ToString("0.####", CultureInfo.InvariantCulture),
    };

    private static string Counts(MeasuredMetric metric) => string.Join(", ", metric.Values.Values.Select(value => value.LeftOut > 0 ? $"{value.Count} (left out {value.LeftOut})" : $"{value.Count}").Distinct());
}
