using System.Diagnostics;
using System.Globalization;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Trainers;

namespace ModelZoo.Benchmarks.Tokenizers;

/// <summary>Seconds in which each kind of tokenizer is learned from a text: <c>train SIZE FILE</c>. Once each, from the file to the vocabulary, the JIT included.</summary>
internal static class TrainerSpeed
{
    /// <summary>Writes a Markdown table.</summary>
    public static void Run(int size, string file, TextWriter output)
    {
        output.WriteLine("| trainer | MB | tokens | seconds | of processor time |");
        output.WriteLine("|---|---|---|---|---|");
        foreach (var kind in Enum.GetValues<TokenizerKind>())
        {
            GC.Collect();
            var (start, processor) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
            var tokenizer = TokenizerTraining.Train([file], new() { Kind = kind, VocabSize = size }, new Progress<TrainingProgress>(), CancellationToken.None);
            var (wall, busy) = (Stopwatch.GetElapsedTime(start), Environment.CpuUsage.TotalTime - processor);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {kind} | {new FileInfo(file).Length / 1e6:0.0} | {tokenizer.Ids.Count()} | {wall.TotalSeconds:0.0} | {busy.TotalSeconds:0.0} |"));
        }
    }
}
