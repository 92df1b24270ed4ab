using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Encoders;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.SemanticBinding;

/// <summary>Options of pictures whose things keep what is said about them.</summary>
public sealed record BoundOptions : TextOptions
{
    /// <summary>Things and what is said about them.</summary>
    [Description("Things of the prompt and the words that belong to each, as cat: wearing sunglasses,dog: wearing a hat; none for Stable Diffusion XL as it is.")]
    public string[] Things { get; init; } = [];

    /// <summary>Steps in which tokens are refined.</summary>
    [Description("First steps in which each thing's one token learns to say what its words say."), Range(0, 1000)]
    public int TokenSteps { get; init; } = 7;

    /// <summary>Steps in which attention is refined.</summary>
    [Description("First steps in which picture and text are changed so that things are looked at in one place."), Range(0, 10)]
    public int AttentionSteps { get; init; } = 7;
}

/// <summary>A thing of a prompt.</summary>
/// <param name="Noun">Places of its noun's tokens.</param>
/// <param name="Attributes">Places of the tokens of what is said about it.</param>
/// <param name="Alone">A prompt of it alone.</param>
/// <param name="Words">What is said about it.</param>
internal sealed record BoundThing(int[] Noun, int[] Attributes, string Alone, string Words)
{
    /// <summary>Reads <c>noun: words</c> against the prompt.</summary>
    /// <exception cref="OptionsException">It is written otherwise, or the prompt does not have it.</exception>
    public static BoundThing Parse(string text, string prompt, ClipWords words)
    {
        if (text.Split(':', StringSplitOptions.TrimEntries) is not [{ Length: > 0 } noun, { Length: > 0 } said]) throw new OptionsException(ErrorCodes.OptionType, "A thing is a noun, a colon, and what is said about it.") { Where = "things", Expected = "cat: wearing sunglasses", Found = text };
        var (place, attributes) = (PromptWords.Places(words, prompt, noun, "things"), PromptWords.Places(words, prompt, said, "things"));
        return new(place, attributes, attributes[0] < place[0] ? $"a {said} {noun}" : $"a {noun} {said}", said);
    }
}

/// <summary>SDXL's pipeline, whose first steps bind things and attributes (sections 3.2 and 3.3).</summary>
internal static class BoundPipeline
{
    private const string Merged = "merged", Avoided = "avoided", AvoidedPooled = "avoided_pooled", Anchor = "anchor_";

    /// <summary>The generator over a folder; null when it has no text encoders.</summary>
    public static TextGenerator<BoundOptions>? Open(PipelineFolder pipeline, SemanticBindingCalls calls, UNetConfig config)
    {
        if (pipeline.Find("text_encoder") is not { } encoder) return null;
        var words = ClipWords.Open(pipeline.Find("tokenizer") ?? encoder);
        if (StableDiffusion.Over<BoundOptions>(pipeline, config, run => run.Options.Things.Length == 0 ? StableDiffusion.Denoiser(calls.UNet) : Bound(calls, run)) is not { } texts) return null;
        return (texts with
        {
            // Where things are bound, guidance is within the steps.
            Scale = options => options.Things.Length == 0 ? options.Guidance ?? texts.Guidance : 1,
            Encode = async (run, text, avoided, cancel) =>
            {
                var conditions = await texts.Encode(run, text, avoided, cancel).ConfigureAwait(false);
                if (run.Options.Things.Length == 0) return conditions;
                var (nothing, merged) = (await texts.Encode(run, run.Options.NegativePrompt, true, cancel).ConfigureAwait(false), text);
                (conditions[Avoided], conditions[AvoidedPooled]) = (nothing[StableDiffusion.Text], nothing[UNetInputs.PooledName]);
                foreach (var (thing, i) in Things(run, words).Select((thing, i) => (thing, i)))
                {
                    conditions[$"{Anchor}{i}"] = (await texts.Encode(run, thing.Alone, false, cancel).ConfigureAwait(false))[StableDiffusion.Text];
                    merged = Without(merged, thing.Words);
                }

                conditions[Merged] = (await texts.Encode(run, merged, false, cancel).ConfigureAwait(false))[StableDiffusion.Text];
                return conditions;
            },
        }).Open(pipeline);

        Denoiser Bound(SemanticBindingCalls model, TextRun<BoundOptions> run)
        {
            BindingRun[]? runs = null;
            return new(async (x, timestep, conditions, cancel) =>
            {
                runs ??= [.. Enumerable.Range(0, run.Count).Select(i => Begin(model, run, words, conditions, i))];
                var noise = new Tensor<float>[run.Count];
                for (var i = 0; i < run.Count; i++) noise[i] = await runs[i].PredictAsync(Batch.Range(x, i, i + 1), timestep, cancel).ConfigureAwait(false);
                return Batch.Concat(noise);
            });
        }
    }

    private static IReadOnlyList<BoundThing> Things(TextRun<BoundOptions> run, ClipWords words) => [.. run.Options.Things.Select(thing => BoundThing.Parse(thing, run.Prompt.Text ?? "", words))];

    private static string Without(string prompt, string words)
    {
        var at = prompt.IndexOf(words, StringComparison.OrdinalIgnoreCase);
        return at < 0 ? prompt : string.Join(' ', prompt.Remove(at, words.Length).Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    // Each picture is bound by itself.
    private static BindingRun Begin(SemanticBindingCalls model, TextRun<BoundOptions> run, ClipWords words, Conditions conditions, int picture)
    {
        Tensor<float> One(string name) => Batch.Range(conditions[name], picture, picture + 1);
        var things = Things(run, words);
        var texts = new BindingTexts(One(StableDiffusion.Text), One(Avoided), One(Merged), [.. things.Select((_, i) => One($"{Anchor}{i}"))],
            Batch.Concat(One(AvoidedPooled), One(UNetInputs.PooledName)), Batch.Doubled(One(UNetInputs.SizesName)));
        var options = new BindingOptions
        {
            Groups = [.. things.Select(thing => (int[][])[thing.Noun, thing.Attributes])],
            PromptLength = words.Encode(run.Prompt.Text ?? "").Count,
            TokenSteps = run.Options.TokenSteps,
            AttentionSteps = run.Options.AttentionSteps,
            AttentionResolution = (int)Math.Sqrt(model.Losses.Places(run.Height, run.Width)),
            Guidance = (float)(run.Options.Guidance ?? 5),
        };
        var start = Batch.AddScaled(Tensor.Zeros<float>([1, .. run.Noise.Shape[1..]]), run.Scheduler.InitNoiseSigma, Batch.Range(run.Noise, picture, picture + 1));
        return new(model.UNet, model.Losses, options, texts, run.NewScheduler, start);
    }
}
