using Spectre.Console;

namespace ModelZoo.Host.Terminal;

/// <summary>Rows under a heading, a line each, so that a screen holds many of them and <c>grep</c> finds whole ones: no frames, no wrapping.</summary>
internal static class Listing
{
    private const int Gap = 2, LeastText = 16;

    /// <summary>Writes rows under a heading. The last column is cut where it would pass the terminal's edge; one that has no room at all is left out.</summary>
    /// <param name="terminal">Where to.</param>
    /// <param name="heading">What the rows are.</param>
    /// <param name="columns">Their names, the most important first.</param>
    /// <param name="rows">A value for each column.</param>
    /// <param name="cut">False when everything must be read, whatever the terminal's width.</param>
    public static void Write(Terminal terminal, string heading, IReadOnlyList<string> columns, IReadOnlyList<string[]> rows, bool cut = true)
    {
        var widths = columns.Select((name, i) => rows.Select(row => row[i].GetCellWidth()).Append(name.Length).Max()).ToList();
        for (var over = Over(); cut && over > 0 && widths.Count > 1; over = Over())
        {
            var rest = widths[^1] - over;
            widths.RemoveAt(widths.Count - 1);
            if (rest >= LeastText) widths.Add(rest);
        }

        terminal.Output.MarkupLineInterpolated($"[bold]{heading}[/]");
        foreach (var row in rows.Prepend([.. columns])) terminal.Writer.WriteLine(string.Concat(row.Take(widths.Count).Select((value, i) => Fit(value, widths[i]).PadRightCells(widths[i] + Gap))).TrimEnd());
        terminal.Writer.WriteLine();

        int Over() => widths.Sum() + (widths.Count - 1) * Gap - terminal.Output.Profile.Width;
    }

    private static string Fit(string value, int width)
    {
        var fits = value;
        while (fits.GetCellWidth() > width) fits = fits[..^(fits.EndsWith('…') ? 2 : 1)] + "…";
        return fits;
    }

    private static string PadRightCells(this string value, int width) => value + new string(' ', Math.Max(0, width - value.GetCellWidth()));
}
