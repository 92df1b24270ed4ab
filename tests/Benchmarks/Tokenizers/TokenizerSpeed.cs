using System.Diagnostics;
using System.Globalization;
using ModelZoo.Plugins.TextTokenizers;
using ModelZoo.Plugins.TextTokenizers.Formats;

namespace ModelZoo.Benchmarks.Tokenizers;

/// <summary>
/// Megabytes a second, one thread, this family's encodings beside other people's over the same bytes in one run: <c>tokenizers --npm DIR [--quicktok EXE] FILE...</c>.
/// Cold is the first sight of a text by a new tokenizer, warm a further one; the best of several, taken in turns with quicktok: what its own benchmark says is warm. The code is compiled before, on tokenizers that are thrown away.
/// </summary>
internal static class TokenizerSpeed
{
    private const int Rounds = 5;
    private const int WarmPasses = 6;
    private const double PracticeSeconds = 3;

    private static readonly string[] Encodings = ["cl100k_base", "o200k_base"];

    /// <summary>Writes a Markdown table.</summary>
    public static void Run(string npm, string? quicktok, IReadOnlyList<string> files, TextWriter output)
    {
        var native = quicktok is null ? null : new Quicktok(quicktok);
        var peers = new NodePeers(npm);
        output.WriteLine($"MB/s, one thread, best of {Rounds} new tokenizers (cold: the first pass, nothing cached; warm: of {WarmPasses} more). The code was compiled before: the JIT is not in the figures.");
        output.WriteLine();
        output.WriteLine("| encoding | text | MB | tokens | cold | warm | quicktok cold | quicktok warm | npm tiktoken | npm gpt-tokenizer | ids |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var name in Encodings)
        {
            Practise(NpmVocabulary.Load(npm, name), [.. files.Select(File.ReadAllText)]);
            foreach (var file in files)
            {
                var text = File.ReadAllText(file);
                var megabytes = new FileInfo(file).Length / 1e6;
                var (ids, cold, warm, nativeCold, nativeWarm) = (Array.Empty<int>(), double.MaxValue, double.MaxValue, double.NaN, double.NaN);
                for (var round = 0; round < Rounds; round++)
                {
                    var encoding = NpmVocabulary.Load(npm, name);
                    GC.Collect();
                    (ids, var first) = Time(() => encoding.EncodeOrdinary(text));
                    cold = Math.Min(cold, first);
                    for (var pass = 0; pass < WarmPasses; pass++) warm = Math.Min(warm, Time(() => encoding.EncodeOrdinary(text)).Seconds);
                    if (native is null) continue;
                    nativeCold = double.MinNumber(nativeCold, native.FirstPass(file, name));
                    nativeWarm = double.MaxNumber(nativeWarm, native.LaterPasses(file, name));
                }

                var (tiktoken, gpt) = (peers.Encode("tiktoken", name, file), peers.Encode("gpt-tokenizer", name, file));
                var verdict = string.Join(", ", new[] { ("tiktoken", tiktoken), ("gpt-tokenizer", gpt) }.Where(peer => peer.Item2.Digest is { } digest && digest != NodePeers.Digest(ids)).Select(peer => $"{peer.Item1} differs"));
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {name} | {Path.GetFileName(file)} | {megabytes:0.0} | {ids.Length} | {megabytes / cold:0} | {megabytes / warm:0} | {megabytes / nativeCold:0} | {nativeWarm:0} | {Speed(megabytes, tiktoken.Seconds)} | {Speed(megabytes, gpt.Seconds)} | {(verdict.Length == 0 ? "equal" : verdict)} |"));
            }
        }

        BatchSpeed.Run([.. Encodings.Select(name => (name, (Tokenizer)NpmVocabulary.Load(npm, name)))], files, output);
        Loading(npm, output);
    }

    // Long enough for every tier of the JIT, in the background too.
    private static void Practise(TiktokenEncoding encoding, string[] texts)
    {
        encoding.EncodeOrdinary(string.Concat(Enumerable.Range(0, 300_000).Select(i => (char)('a' + i * 7 % 26))));
        for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start).TotalSeconds < PracticeSeconds;)
        {
            foreach (var text in texts) encoding.EncodeOrdinary(text.AsSpan(0, Math.Min(text.Length, 200_000)));
        }
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
}
