// Exact Byte-Level Probabilities from Tokenized Language Models, arXiv:2410.09303: texts drawn byte by byte, and measured.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Options of drawing a text byte by byte.</summary>
public sealed record ExactByteOptions : ModelOptions
{
    /// <summary>Most bytes that are drawn.</summary>
    [Description("Most bytes that are drawn behind the prompt."), Range(1, 4096)]
    public int MaxBytes { get; init; } = 32;

    /// <summary>Whether the likeliest byte is taken.</summary>
    [Description("Take the likeliest byte each time instead of drawing one.")]
    public bool Greedy { get; init; }

    /// <summary>Whether the chances of the next byte are wanted instead of a text.</summary>
    [Description("Give the chances of the next byte, its covers and the tokens that they share, as a line of JSON for each line of the prompt, instead of a text.")]
    public bool Chances { get; init; }
}

/// <summary>Bytes drawn one after the other from a model of tokens, and bits that a text takes under it. Prompts may end within a token.</summary>
internal sealed class ExactByteVerbs(ExactBytes exact) : IGenerate<Text, ExactByteOptions>, IEvaluate
{
    // Models write a blank as the mark U+2581. Its first byte stands for a blank; other letters that begin with it count as one.
    private const int Ascii = 128, BlankMark = 0xE2;

    /// <summary>What <see cref="ObserveAsync"/> gives of a text: the bits of each of its bytes behind its first word.</summary>
    public const string Bits = "bits";

    public static IMetric BitsPerByte { get; } = new MeanMetric("exact-bits-per-byte", "bits", false, "Bits that a byte of the text takes under the exact chances of bytes (arXiv:2410.09303), behind its first word.",
        observation => (observation.Output as NamedTensors)?.Values.GetValueOrDefault(Bits) is Tensor<double> { Length: > 0 } bits ? bits.Span.ToArray().Average() : null);

    public Modality Evaluates => Modality.Text;

    public IReadOnlyList<string> DefaultMetrics => [BitsPerByte.Name];

    public OptionsSchema EvaluateOptions { get; } = OptionsSchema.Of<NoOptions>();

    /// <summary>The text ends where its end, or the first byte of a letter outside ASCII, is drawn: chances are known at the ends of letters alone.</summary>
    public async IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, ExactByteOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var given = prompt.Text ?? prompt.Media.OfType<Text>().FirstOrDefault()?.Value ?? throw new MediaException(ErrorCodes.MediaUnsupported, "There is nothing to go on from.") { Expected = "--prompt with two words or more" };
        if (options.Chances)
        {
            var lines = given.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => exact.Describe(TextOf(line), cancel).GetRawText() + "\n");
            yield return Generation<Text>.Final(new(string.Concat(lines)), 1);
            yield break;
        }

        var draws = new Philox(seed);
        var text = given;
        for (var step = 0; step < options.MaxBytes; step++)
        {
            var (sofar, uniform) = (text, draws.Uniform((ulong)step));
            var chances = await Task.Run(() => exact.NextByte(sofar, cancel).Next, cancel).ConfigureAwait(false);
            var drawn = options.Greedy ? Array.IndexOf(chances, chances.Max()) : Categorical.Draw(chances, uniform);
            if (drawn == BlankMark) drawn = ' ';
            if (drawn >= Ascii) break;
            text += (char)drawn;
            yield return Generation<Text>.Progress(step, options.MaxBytes);
        }

        yield return Generation<Text>.Final(new(text), options.MaxBytes);
    }

    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var bits = Measure(example.Media.Expect<Text>().Value, cancel);
            yield return new(example.Id, example.Media, bits is null ? null : new NamedTensors(new Dictionary<string, Tensor> { [Bits] = Tensor.Create(bits, bits.Length) })) { Label = example.Label };
        }
    }

    // A line of JSON with a text, or the text itself, which may begin with a brace.
    private static string TextOf(string line)
    {
        try
        {
            return line.StartsWith('{') && JsonElement.Parse(line).Find("text") is { } text ? text.AsText() : line;
        }
        catch (JsonException)
        {
            return line;
        }
    }

    // Texts outside ASCII, and those of one word, are left out.
    private double[]? Measure(string text, CancellationToken cancel)
    {
        var first = text.AsSpan().TrimStart().IndexOf(' ');
        if (first < 0 || !System.Text.Ascii.IsValid(text)) return null;
        first += text.Length - text.AsSpan().TrimStart().Length + 1;
        return [.. Enumerable.Range(first, text.Length - first).Select(i => -Math.Log2(exact.NextByte(text[..i], cancel).Next[text[i] == ' ' ? BlankMark : text[i]]))];
    }
}
