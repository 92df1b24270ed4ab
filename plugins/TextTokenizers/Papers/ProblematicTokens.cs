// Problematic Tokens: Tokenizer Bias in Large Language Models. Yang, Wang, Lin, Zhao. arXiv:2406.11214. github.com/yeyimilk/LLMGPT4o
// Published layout: a tiktoken rank file. Deviations: the prompts to language models are not part of it.
using System.Globalization;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The longest entries of a vocabulary by script: long ones are often seen too rarely to be learned.</summary>
internal static class ProblematicTokens
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("problematic-tokens", "Problematic Tokens: Tokenizer Bias in Large Language Models", "2406.11214", ["Jin Yang", "Zhiqiang Wang", "Yanbin Lin", "Zunduo Zhao"], "yeyimilk/LLMGPT4o", "none stated")
            with { Layouts = ["*.tiktoken"], Deviations = "The audit of the vocabulary; the prompts to language models are not part of it." },
        source =>
        {
            var table = Table(source);
            return new PaperModel(source).OnLines("longest", line =>
            {
                var (chinese, korean) = (line.Option("chinese", false), line.Option("korean", false));
                var top = table.Where(entry => (chinese && HoldsChinese(entry.Text)) || (korean && HoldsHangul(entry.Text))).Take(line.Option("k", 100)).ToList();
                var kept = PerLength(top, line.Option("per_length", 5)).ToList();
                return Line.Of(("ids", kept.Select(entry => entry.Id)), ("texts", kept.Select(entry => entry.Text)), ("top_ids", top.Select(entry => entry.Id)));
            });
        });

    /// <summary>True for a CJK ideograph U+4E00 to U+9FFF, those of Japanese included.</summary>
    public static bool HoldsChinese(string text) => text.Any(unit => unit is >= '\u4E00' and <= '\u9FFF');

    /// <summary>True for a character of the script Hangul.</summary>
    public static bool HoldsHangul(string text) => text.EnumerateRunes().Any(rune => rune.Value is
        (>= 0x1100 and <= 0x11FF) or (>= 0x302E and <= 0x302F) or (>= 0x3131 and <= 0x318E) or (>= 0x3200 and <= 0x321E) or (>= 0x3260 and <= 0x327E) or (>= 0xA960 and <= 0xA97C)
        or (>= 0xAC00 and <= 0xD7A3) or (>= 0xD7B0 and <= 0xD7C6) or (>= 0xD7CB and <= 0xD7FB) or (>= 0xFFA0 and <= 0xFFBE) or (>= 0xFFC2 and <= 0xFFC7) or (>= 0xFFCA and <= 0xFFCF)
        or (>= 0xFFD2 and <= 0xFFD7) or (>= 0xFFDA and <= 0xFFDC));

    // Longest in code points first, then by id.
    private static List<(int Id, string Text)> Table(ModelSource source)
    {
        var file = source.Parts.Count > 0 ? source.Parts[0].File : Path.GetFileName(Directory.EnumerateFiles(source.RequireFolder(), "*.tiktoken").Order(StringComparer.Ordinal).FirstOrDefault() ?? "model.tiktoken");
        try
        {
            return [.. source.Lines(file).Where(line => line.Length > 0).Select(line => line.Split(' '))
                .Select(entry => (Id: int.Parse(entry[1], CultureInfo.InvariantCulture), Text: Encoding.UTF8.GetString(Convert.FromBase64String(entry[0]))))
                .OrderByDescending(entry => Scalars.Count(entry.Text)).ThenBy(entry => entry.Id)];
        }
        catch (Exception error) when (error is FormatException or IndexOutOfRangeException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The rank file has a line that is not base64 and a rank.", error) { Where = source.PathOf(file) };
        }
    }

    // At most so many of a length; the first of a new length always counts.
    private static IEnumerable<(int Id, string Text)> PerLength(List<(int Id, string Text)> entries, int limit)
    {
        var (length, count) = (-1, 0);
        foreach (var entry in entries)
        {
            var own = Scalars.Count(entry.Text);
            (length, count) = own == length ? (length, count + 1) : (own, 1);
            if (count <= Math.Max(1, limit)) yield return entry;
        }
    }
}
