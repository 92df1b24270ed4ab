// A Partition Cover Approach to Tokenization, arXiv:2501.06246: tokens picked from files of text.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Scanning;
using ModelZoo.Plugins.TextTokenizers.Trainers;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Options of picking tokens.</summary>
public sealed record GreedTokOptions : ModelOptions
{
    /// <summary>Tokens that are picked.</summary>
    [Description("Tokens that are picked, beside the 256 bytes."), Range(1, 1_000_000)]
    public int Steps { get; init; } = 1000;

    /// <summary>Bound of a token's length.</summary>
    [Description("Tokens are shorter than this, in bytes."), Range(3, 100)]
    public int MaxTokenLength { get; init; } = 16;

    /// <summary>Count below which a word gives no candidates.</summary>
    [Description("Rarer words give no candidates."), Range(1, int.MaxValue)]
    public int MinWordCount { get; init; } = 1;
}

/// <summary>Picks tokens from a corpus and writes the authors' <c>added_tokens.txt</c>: a token a line, in hexadecimal.</summary>
internal sealed class GreedTokTraining : ITrain
{
    /// <summary>The file of picked tokens.</summary>
    public const string FileName = "added_tokens.txt";

    public Modality LearnsFrom => Modality.Text;

    public OptionsSchema TrainOptions { get; } = OptionsSchema.Of<GreedTokOptions>();

    public async ValueTask<TrainingResult> TrainAsync(IReadOnlyList<string> files, string folder, ModelOptions options, IProgress<TrainingProgress> progress, CancellationToken cancel = default)
    {
        var settings = options.Expect<GreedTokOptions>();
        if (files.All(file => new FileInfo(file).Length == 0)) throw new ModelZooException(ErrorCodes.DatasetInvalid, "The corpus holds no text.") { Where = string.Join(", ", files.Take(3)), Remedy = "Give files with text in them." };
        var picked = await Task.Run(() =>
        {
            progress.Report(new("counting words", 0, null));
            var words = CorpusReader.Count(files, KnownPattern.Gpt2, static _ => { }, cancel);
            progress.Report(new("picking tokens", 0, null));
            return new GreedTok(words.Select(word => (Bytes(word.Key), word.Value)), settings.MaxTokenLength, settings.MinWordCount).Select(settings.Steps, cancel);
        }, cancel).ConfigureAwait(false);
        await File.WriteAllTextAsync(Path.Combine(folder, FileName), string.Concat(picked.Select(pick => pick.Token + "\n")), cancel).ConfigureAwait(false);
        return new(ModelId.Parse("text-tokenizers/greedtok"), [FileName])
        {
            Figures = [new("tokens", picked.Count < settings.Steps ? $"{picked.Count} (the corpus gives no more) and 256 bytes" : $"{picked.Count} and 256 bytes")],
        };
    }

    private static byte[] Bytes(string piece)
    {
        var bytes = new List<byte>();
        ByteAlphabet.TryDecode(Encoding.UTF8.GetBytes(piece), bytes);
        return [.. bytes];
    }
}
