using Spectre.Console;

namespace ModelZoo.Host.TokenViews;

/// <summary>A text with its tokens coloured; without colours, bars stand between them.</summary>
internal static class TokenPrinter
{
    private static readonly Style[] Colours = [.. new[] { Color.SteelBlue1, Color.DarkSeaGreen, Color.LightGoldenrod2, Color.Plum2, Color.LightSalmon1, Color.PaleTurquoise1 }.Select(colour => new Style(Color.Black, colour))];

    /// <summary>Writes the pieces and a line break.</summary>
    public static void Write(Terminal.Terminal terminal, IReadOnlyList<TextPiece> pieces)
    {
        if (!terminal.Output.Profile.Capabilities.Ansi)
        {
            terminal.Writer.WriteLine(string.Join('|', pieces.Select(Shown)));
            return;
        }

        var token = 0;
        foreach (var piece in pieces)
        {
            var style = piece.Id is null ? Style.Plain : Colours[token++ % Colours.Length];
            var lines = Shown(piece).Split('\n');
            for (var i = 0; i < lines.Length; i++)
            {
                if (i > 0) terminal.Output.WriteLine();
                if (lines[i].Length > 0) terminal.Output.Write(lines[i], style);
            }
        }

        terminal.Output.WriteLine();
    }

    private static string Shown(TextPiece piece) => piece is { Id: not null, Text: "" } ? "\u00B7" : TextPieces.Visible(piece.Text);
}
