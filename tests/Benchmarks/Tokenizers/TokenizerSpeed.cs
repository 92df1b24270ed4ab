using System.Diagnostics;
using System.Globalization;
using ModelZoo.Plugins.TextTokenizers.Formats;

namespace ModelZoo.Benchmarks.Tokenizers;

/// <summary>
/// Megabytes a second, one thread, this family's encodings beside other people's over the same bytes in one run: <c>tokenizers --npm DIR [--quicktok EXE] FILE...</c>.
/// Cold is the first sight of a text by a new tokenizer (the code is compiled already); warm the best of five more.
/// </summary>
internal static class TokenizerSpeed
{
    private static readonly string[] Encodings = ["cl100k_base", "o200k_base"];

    /// <summary>Writes a Markdown table.</summary>
    public static void Run(string npm, string? quicktok, IReadOnlyList<string> files, TextWriter output)
    {
        var peers = new NodePeers(npm);
        output.WriteLine("| encoding | text | MB | tokens | cold | warm | quicktok | npm tiktoken | npm gpt-tokenizer | ids |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach (var name in Encodings)
        {
            var practice = NpmVocabulary.Load(npm, name);
            foreach (var file in files) practice.EncodeOrdinary(File.ReadAllText(file));
            practice.EncodeOrdinary(string.Concat(Enumerable.Range(0, 300_000).Select(i => (char)('a' + i * 7 % 26))));
            foreach (var file in files)
            {
                var text = File.ReadAllText(file);
                var megabytes = new FileInfo(file).Length / 1e6;
                var encoding = NpmVocabulary.Load(npm, name);
                GC.Collect();
                var (ids, cold) = Time(() => encoding.EncodeOrdinary(text));
                var warm = Enumerable.Range(0, 5).Min(_ => Time(() => encoding.EncodeOrdinary(text)).Seconds);
                var native = quicktok is null ? double.NaN : Quicktok(quicktok, file, name);
                var (tiktoken, gpt) = (peers.Encode("tiktoken", name, file), peers.Encode("gpt-tokenizer", name, file));
                var verdict = string.Join(", ", new[] { ("tiktoken", tiktoken), ("gpt-tokenizer", gpt) }.Where(peer => peer.Item2.Digest is { } digest && digest != NodePeers.Digest(ids)).Select(peer => $"{peer.Item1} differs"));
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {name} | {Path.GetFileName(file)} | {megabytes:0.0} | {ids.Length} | {megabytes / cold:0} | {megabytes / warm:0} | {native:0} | {Speed(megabytes, tiktoken.Seconds)} | {Speed(megabytes, gpt.Seconds)} | {(verdict.Length == 0 ? "equal" : verdict)} |"));
            }
        }

        Loading(npm, output);
    }

    private static void Loading(string npm, TextWriter output)
    {
        var folder = Directory.CreateTempSubdirectory("tokenizers").FullName;
        foreach (var name in Encodings)
        {
            var path = NpmVocabulary.WriteRanks(NpmVocabulary.Load(npm, name), folder);
            var pattern = NpmVocabulary.Load(npm, name).Pattern;
            var seconds = Enumerable.Range(0, 7).Min(_ => Time(() => new TiktokenEncoding(name, TiktokenFile.Load(path), pattern, new Dictionary<string, int>())).Seconds);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"load {name}: {seconds * 1000:0} ms"));
        }

        Directory.Delete(folder, recursive: true);
    }

    private static string Speed(double megabytes, double seconds) => double.IsNaN(seconds) ? "gave up" : (megabytes / seconds).ToString("0.0", CultureInfo.InvariantCulture);

    private static (T Value, double Seconds) Time<T>(Func<T> work)
    {
        var start = Stopwatch.GetTimestamp();
        var value = work();
        return (value, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    // quicktok's own bench_file: "quicktok cl100k 97.12 MB/s ...".
    private static double Quicktok(string executable, string file, string encoding)
    {
        using var process = Process.Start(new ProcessStartInfo(executable, [file, encoding, Path.Combine(Path.GetDirectoryName(Path.GetFullPath(executable))!, "data")]) { RedirectStandardOutput = true })!;
        var words = process.StandardOutput.ReadToEnd().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        var unit = Array.IndexOf(words, "MB/s");
        return unit > 0 ? double.Parse(words[unit - 1], CultureInfo.InvariantCulture) : double.NaN;
    }
}
