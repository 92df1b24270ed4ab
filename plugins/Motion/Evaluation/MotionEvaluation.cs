using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>
/// The protocol of text-to-motion (Guo et al., CVPR 2022, as T2M-GPT, MMM and MoMask follow it): each motion of the test set is made anew from one of its captions, as long as it is; real, made and caption are compared in the evaluator's space.
/// Real motions are whole, not cropped at random by up to two tokens.
/// </summary>
/// <param name="evaluator">The evaluator.</param>
/// <param name="generator">The model.</param>
/// <param name="options">How.</param>
internal sealed class MotionEvaluation(MotionTextEvaluator evaluator, IGenerate generator, MotionEvaluationOptions options)
{
    /// <summary>Groups of observations.</summary>
    public const string Real = "real", Made = "generated";

    /// <summary>Names of the tensors in observations: embeddings of the motion and of its caption (E), several motions of one caption (n, E), and the number of the repeat with the size of its batches (2).</summary>
    public const string MotionKey = "motion", TextKey = "text", ModesKey = "modes", RepeatKey = "repeat";

    // Motions of the test set that the authors leave out, and frames of a token.
    private const int ShortestHuman = 40, ShortestKit = 24, Longest = 200, Unit = 4, Modes = 30;

    private sealed record Item(string Id, string[] Captions, int Frames, Tensor<float> Embedding);

    /// <summary>For each repeat and motion what is real and what was made.</summary>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var items = new List<Item>();
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            if (await ItemAsync(example, cancel).ConfigureAwait(false) is { } item) items.Add(item);
        }

        for (var repeat = 0; repeat < options.Repeats; repeat++)
        {
            var choice = new SeededChoice(seed, repeat, draw: 0);
            var order = choice.Of(items.Count, items.Count);
            // The last batch is left out where it is not whole.
            var count = items.Count >= options.BatchSize ? items.Count / options.BatchSize * options.BatchSize : items.Count;
            for (var place = 0; place < count; place++)
            {
                var item = items[(int)order[place]];
                var caption = item.Captions[choice.Below(item.Captions.Length)].Split('#');
                var text = await evaluator.TextAsync(caption[^1], cancel).ConfigureAwait(false);
                var own = seed + (ulong)(repeat * (long)items.Count + order[place]) * Modes;
                var made = await MakeAsync(caption[0], item.Frames, own, cancel).ConfigureAwait(false);
                var modes = place < options.MultimodalCaptions ? await ModesAsync(caption[0], item.Frames, own, made, cancel).ConfigureAwait(false) : null;
                yield return Of(item, Real, repeat, text, item.Embedding, null);
                yield return Of(item, Made, repeat, text, made, modes);
            }
        }
    }

    private async Task<Item?> ItemAsync(Example example, CancellationToken cancel)
    {
        if (example.Media is not Contracts.Motion motion || example.Label is not { Length: > 0 } label) return null;
        var frames = (int)motion.Features.Shape[0];
        if (frames < (evaluator.Features == 251 ? ShortestKit : ShortestHuman) || frames >= Longest) return null;
        return new(example.Id, label.Split('\n'), frames / Unit * Unit, await evaluator.MotionAsync(motion, cancel).ConfigureAwait(false));
    }

    private async Task<Tensor<float>> MakeAsync(string caption, int frames, ulong seed, CancellationToken cancel)
    {
        List<KeyValuePair<string, string>> chosen = [.. options.Generation.Select(pair => pair.Split('=', 2) is [var name, var value] ? KeyValuePair.Create(name, value) : throw new OptionsException(ErrorCodes.OptionType, "An option is written name=value.") { Where = "generation", Found = pair })];
        if (generator.GenerateOptions.Options.Any(option => option.Name == "frames") && chosen.TrueForAll(pair => pair.Key != "frames")) chosen.Add(new("frames", frames.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        Media? last = null;
        await foreach (var step in generator.GenerateAsync(new(caption), generator.GenerateOptions.Bind(chosen), seed, cancel).ConfigureAwait(false)) last = step.IsFinal ? step.Value : last;
        return await evaluator.MotionAsync(last!.Expect<Contracts.Motion>(), cancel).ConfigureAwait(false);
    }

    private async Task<Tensor<float>> ModesAsync(string caption, int frames, ulong seed, Tensor<float> first, CancellationToken cancel)
    {
        var modes = Tensor.Zeros<float>(Modes, first.Length);
        first.Span.CopyTo(modes.Span);
        for (var i = 1; i < Modes; i++) (await MakeAsync(caption, frames, seed + (ulong)i, cancel).ConfigureAwait(false)).Span.CopyTo(modes.Slice(i).Span);
        return modes;
    }

    private Observation Of(Item item, string group, int repeat, Tensor<float> text, Tensor<float> motion, Tensor<float>? modes)
    {
        var made = new Dictionary<string, Tensor> { [MotionKey] = motion, [RepeatKey] = Tensor.Create<long>([repeat, options.BatchSize], 2) };
        if (modes is not null) made[ModesKey] = modes;
        return new($"{repeat}/{item.Id}", new NamedTensors(new Dictionary<string, Tensor> { [MotionKey] = item.Embedding, [TextKey] = text }), new NamedTensors(made)) { Group = group };
    }
}
