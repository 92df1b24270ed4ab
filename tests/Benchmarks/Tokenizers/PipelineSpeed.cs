using System.Diagnostics;
using System.Globalization;
using ModelZoo.Plugins.TextTokenizers;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

namespace ModelZoo.Benchmarks.Tokenizers;

/// <summary>
/// Megabytes a second, one thread, of <c>tokenizer.json</c> (Unigram, WordPiece...) and SentencePiece <c>.model</c> files beside the reference libraries (npm <c>tokenizers</c>, Debian's <c>python3-sentencepiece</c>)
/// over the same bytes: <c>unigram --npm DIR TOKENIZER.json... TOKENIZER.model... TEXT...</c>. A reference of SentencePiece before 0.2.3 rounds otherwise where segmentations are equally good.
/// Cold is the first sight of a text by a new tokenizer, warm a further one. The code is compiled before, on tokenizers that are thrown away.
/// </summary>
internal static class PipelineSpeed
{
    private const int Rounds = 3;
    private const int WarmPasses = 3;
    private const double PracticeSeconds = 3;

    // Best of two; the ids' SHA-256 tells whether they are ours.
    private const string Script = """
        const [json, file] = process.argv.slice(-2), fs = require('fs'), crypto = require('crypto'), { Tokenizer } = require('tokenizers');
        (async () => {
            const tokenizer = Tokenizer.fromFile(json), text = fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
            let best = Infinity, ids;
            for (let i = 0; i < 2; i++) { const s = process.hrtime.bigint(); ids = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds(); best = Math.min(best, Number(process.hrtime.bigint() - s) / 1e9); }
            console.log(best, crypto.createHash('sha256').update(Buffer.from(Uint32Array.from(ids).buffer)).digest('hex'));
        })();
        """;

    private const string SentencePieceScript = """
        import array, hashlib, sys, time, sentencepiece
        tokenizer, text, best = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1]), open(sys.argv[2], encoding='utf-8-sig', newline='').read(), float('inf')
        for _ in range(2):
            start = time.perf_counter(); ids = tokenizer.encode(text); best = min(best, time.perf_counter() - start)
        print(best, hashlib.sha256(array.array('i', ids).tobytes()).hexdigest())
        """;

    /// <summary>Whether a file is a tokenizer of these.</summary>
    public static bool IsTokenizer(string path) => path.EndsWith(".json", StringComparison.Ordinal) || IsSentencePiece(path);

    /// <summary>Writes a Markdown table.</summary>
    public static void Run(string npm, IReadOnlyList<string> tokenizers, IReadOnlyList<string> files, TextWriter output)
    {
        output.WriteLine("| tokenizer | text | MB | tokens | cold | warm | allocated by a count | reference | cold against it | ids |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach (var path in tokenizers)
        {
            var texts = files.Select(File.ReadAllText).ToList();
            Practise(Load(path), texts);
            foreach (var (file, text) in files.Zip(texts))
            {
                var (ids, cold, warm, allocated) = (Array.Empty<int>(), double.MaxValue, double.MaxValue, 0L);
                for (var round = 0; round < Rounds; round++)
                {
                    var tokenizer = Load(path);
                    tokenizer.EncodeToIds("a");
                    GC.Collect();
                    cold = Math.Min(cold, Seconds(() => ids = tokenizer.EncodeToIds(text)));
                    Action count = () => tokenizer.CountTokens(text);
                    for (var pass = 0; pass < WarmPasses; pass++)
                    {
                        var before = GC.GetAllocatedBytesForCurrentThread();
                        warm = Math.Min(warm, Seconds(count));
                        allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                    }
                }

                var megabytes = new FileInfo(file).Length / 1e6;
                var (seconds, digest) = Reference(npm, path, file);
                var verdict = digest is null ? "not told" : digest == NodePeers.Digest(ids) ? "equal" : "differ";
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {Name(path)} | {Path.GetFileName(file)} | {megabytes:0.0} | {ids.Length} | {megabytes / cold:0} | {megabytes / warm:0} | {allocated} | {megabytes / seconds:0.0} | {seconds / cold:0.0}x | {verdict} |"));
            }
        }

        BatchSpeed.Run([.. tokenizers.Select(path => (Name(path), Load(path)))], files, output);
    }

    private static void Practise(Tokenizer tokenizer, List<string> texts)
    {
        for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start).TotalSeconds < PracticeSeconds;)
        {
            foreach (var text in texts) tokenizer.EncodeToIds(text.AsSpan(0, Math.Min(text.Length, 100_000)));
        }
    }

    private static string Name(string path) => $"{Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(path)))}/{Path.GetFileName(path)}";

    private static bool IsSentencePiece(string path) => path.EndsWith(".model", StringComparison.Ordinal);

    private static Tokenizer Load(string path) => IsSentencePiece(path) ? new SentencePieceTokenizer(SentencePieceFile.Load(path)) : TokenizerJson.Load(path);

    private static (double Seconds, string? Digest) Reference(string npm, string tokenizer, string file)
    {
        string[] interpreter = IsSentencePiece(tokenizer) ? ["/usr/bin/python3", "-c", SentencePieceScript] : ["node", "-e", Script, "--"];
        var start = new ProcessStartInfo("timeout", ["60", .. interpreter, Path.GetFullPath(tokenizer), Path.GetFullPath(file)]) { RedirectStandardOutput = true, WorkingDirectory = npm };
        using var process = Process.Start(start)!;
        var words = process.StandardOutput.ReadToEnd().Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        return words is [var seconds, var digest] ? (double.Parse(seconds, CultureInfo.InvariantCulture), digest) : (double.NaN, null);
    }

    private static double Seconds(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
