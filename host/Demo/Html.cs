using System.Globalization;
using System.Net;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;

namespace ModelZoo.Host.Demo;

/// <summary>Pieces of the page, each with its data embedded.</summary>
internal static class Html
{
    /// <summary>Text as it stands.</summary>
    public static string Text(string text) => WebUtility.HtmlEncode(text);

    /// <summary>A player, with the waveform above it.</summary>
    public static string Player(Audio audio)
    {
        using var wav = new MemoryStream();
        WavFile.Write(wav, audio);
        return $"{Waveform(audio)}<audio controls preload=\"metadata\" src=\"data:audio/wav;base64,{Base64(wav)}\"></audio>";
    }

    /// <summary>A picture.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="width">Width on the page in pixels.</param>
    /// <param name="label">What it shows.</param>
    public static string Picture(Image image, int width, string label)
    {
        using var png = new MemoryStream();
        PngWriter.Write(png, image);
        return $"<img width=\"{width}\" alt=\"{Text(label)}\" title=\"{Text(label)}\" src=\"data:image/png;base64,{Base64(png)}\">";
    }

    /// <summary>Ids as a picture: a row a codebook, a column a frame; each id has its colour.</summary>
    public static string TokenMap(Tokens tokens)
    {
        var (rows, columns) = tokens.Ids.Rank == 1 ? (1, tokens.Ids.Length) : ((int)tokens.Ids.Shape[0], tokens.Ids.Length / (int)tokens.Ids.Shape[0]);
        var sizes = tokens.Space.VocabularySizes;
        var pixels = Tensor.Zeros<float>(3, rows, columns);
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                var share = tokens.Ids.Span[row * columns + column] / (double)Math.Max(1, sizes[Math.Min(row, sizes.Count - 1)]);
                for (var channel = 0; channel < 3; channel++) pixels[channel, row, column] = (float)(0.5 + 0.5 * Math.Cos(2 * Math.PI * (share + channel / 3.0)));
            }
        }

        return $"<div class=\"tokens\" style=\"height:{rows * 8}px\">{Picture(new(pixels), columns, $"{rows} x {columns} tokens").Replace("<img width", "<img style=\"width:100%;height:100%;image-rendering:pixelated\" data-width", StringComparison.Ordinal)}</div>";
    }

    /// <summary>A table; the first row is its head.</summary>
    public static string Table(IEnumerable<IReadOnlyList<string>> rows)
    {
        var html = new StringBuilder("<table>");
        var cell = "th";
        foreach (var row in rows)
        {
            html.Append("<tr>").AppendJoin("", row.Select(value => $"<{cell}>{value}</{cell}>")).Append("</tr>");
            cell = "td";
        }

        return html.Append("</table>").ToString();
    }

    /// <summary>A number for readers.</summary>
    public static string Number(double value, string format = "0.###") => value.ToString(format, CultureInfo.InvariantCulture);

    // Smallest and largest sample of each of 400 stretches.
    private static string Waveform(Audio audio)
    {
        const int Columns = 400, Height = 48;
        var samples = audio.Samples.Span[..audio.Length];
        var path = new StringBuilder();
        for (var column = 0; column < Columns; column++)
        {
            var (start, end) = ((int)((long)column * samples.Length / Columns), (int)((long)(column + 1) * samples.Length / Columns));
            var (low, high) = (0f, 0f);
            for (var i = start; i < end; i++) (low, high) = (Math.Min(low, samples[i]), Math.Max(high, samples[i]));
            path.Append(CultureInfo.InvariantCulture, $"M{column} {Height / 2 - high * Height / 2:0.#}V{Height / 2 - low * Height / 2 + 0.5f:0.#}");
        }

        return $"<svg viewBox=\"0 0 {Columns} {Height}\" preserveAspectRatio=\"none\"><path d=\"{path}\"/></svg>";
    }

    private static string Base64(MemoryStream stream) => Convert.ToBase64String(stream.GetBuffer().AsSpan(0, (int)stream.Length));
}
