using System.Diagnostics;
using System.Globalization;
using ModelZoo.Plugins.TextTokenizers;

namespace ModelZoo.Benchmarks.Tokenizers;

/// <summary>Documents of two thousand characters, met before: one by one on one core, and as a batch on all. Both keep all ids, which are the same.</summary>
internal static class BatchSpeed
{
    private const int Rounds = 40;
    private const int Characters = 2000;

    /// <summary>Writes a Markdown table: a row a text, and one for all of them.</summary>
    public static void Run(IReadOnlyList<(string Name, Tokenizer Tokenizer)> tokenizers, IReadOnlyList<string> files, TextWriter output)
    {
        output.WriteLine();
        output.WriteLine($"Documents of {Characters} characters, met before, MB/s of {Rounds} passes taken in turns; all ids are kept.");
        output.WriteLine();
        output.WriteLine($"| tokenizer | text | documents | one core | {Environment.ProcessorCount} cores | times, of medians | times, of the best | ids |");
        output.WriteLine("|---|---|---|---|---|---|---|---|");
        foreach (var (name, tokenizer) in tokenizers)
        {
            foreach (var file in files) Row(name, tokenizer, [file], output);
            if (files.Count > 1) Row(name, tokenizer, files, output);
        }
    }

    private static void Row(string name, Tokenizer tokenizer, IReadOnlyList<string> files, TextWriter output)
    {
        string[] documents = [.. files.SelectMany(file => File.ReadAllText(file).Chunk(Characters).Select(part => new string(part)))];
        var megabytes = files.Sum(file => new FileInfo(file).Length) / 1e6;
        IReadOnlyList<int[]> one = [], all = [];
        Action alone = () => one = Array.ConvertAll(documents, document => tokenizer.EncodeToIds(document)), together = () => all = tokenizer.EncodeBatchToIds(documents);
        alone();
        together();
        var (aloneTimes, togetherTimes) = (new double[Rounds], new double[Rounds]);
        for (var round = 0; round < Rounds; round++) (aloneTimes[round], togetherTimes[round]) = (Seconds(alone), Seconds(together));
        Array.Sort(aloneTimes);
        Array.Sort(togetherTimes);
        var equal = one.Zip(all).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {name} | {(files.Count == 1 ? Path.GetFileName(files[0]) : "all")} | {documents.Length} | {megabytes / aloneTimes[Rounds / 2]:0} | {megabytes / togetherTimes[Rounds / 2]:0} | {aloneTimes[Rounds / 2] / togetherTimes[Rounds / 2]:0.00} | {aloneTimes[0] / togetherTimes[0]:0.00} | {(equal ? "equal" : "differ")} |"));
    }

    private static double Seconds(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
