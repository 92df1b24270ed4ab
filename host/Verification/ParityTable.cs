using ModelZoo.Networks.Parity;

namespace ModelZoo.Host.Verification;

/// <summary>Reports as a table in Markdown, a row a family: how many cases pass, which architectures do, and which do not. The README's table is made by it.</summary>
internal static class ParityTable
{
    /// <summary>The lines of the table.</summary>
    public static IEnumerable<string> Markdown(IReadOnlyList<ParityReport> reports)
    {
        yield return "| family | cases that pass | architectures | with cases that do not |";
        yield return "| --- | --- | --- | --- |";
        foreach (var family in reports.GroupBy(report => Part(report, 0)).OrderBy(family => family.Key, StringComparer.Ordinal))
            yield return $"| {family.Key} | {Passing(family)} of {family.Count()} | {Names(family, passing: true)} | {Names(family, passing: false)} |";
        yield return $"| **all** | **{Passing(reports)} of {reports.Count}** | | |";
    }

    private static int Passing(IEnumerable<ParityReport> reports) => reports.Count(report => report.Status == ParityStatus.Pass);

    private static string Names(IEnumerable<ParityReport> family, bool passing) =>
        string.Join(", ", family.GroupBy(report => Part(report, 1)).Where(cases => cases.All(report => report.Status == ParityStatus.Pass) == passing).Select(cases => cases.Key).Order(StringComparer.Ordinal));

    private static string Part(ParityReport report, int part) => report.Case.Split('/')[part];
}
