using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.FlowTok;

/// <summary>Options of FlowTok's pictures.</summary>
public sealed record FlowTokOptions : ModelOptions
{
    /// <summary>Steps.</summary>
    [Description("Steps from the text's tokens to the picture's."), Range(1, 1000)]
    public int Steps { get; init; } = 25;

    /// <summary>Scale of guidance.</summary>
    [Description("How strongly the text is followed: classifier-free guidance, 1 for none."), Range(0.0, 100.0)]
    public double Guidance { get; init; } = 2;

    /// <summary>Noise of the text's tokens.</summary>
    [Description("How far the text's tokens are drawn from their means, in deviations: 0 gives one picture for each text, whatever the seed."), Range(0.0, 10.0)]
    public double Variation { get; init; } = 1;

    /// <summary>Pictures.</summary>
    [Description("Number of pictures, shown as a grid."), Range(1, 64)]
    public int Count { get; init; } = 1;

    /// <summary>Steps between partial pictures.</summary>
    [Description("Steps between partial pictures of what is seen so far, each decoded; 0 for none."), Range(0, 1000)]
    public int PreviewEvery { get; init; } = 5;
}

/// <summary>A text to pictures: its tokens are drawn, and flow to a picture's without further noise. Instead of words, CLIP's features <c>text_features</c> (1, M, E) may be given.</summary>
/// <param name="calls">The networks.</param>
/// <param name="texts">CLIP's text encoder; null where it is not beside the model.</param>
/// <param name="config">The published configuration.</param>
internal sealed class FlowTokGenerator(FlowTokCalls calls, ClipPrompts? texts, FlowTokConfig config) : IGenerate<Image, FlowTokOptions>
{
    private const string Given = "text_features";

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Image>> GenerateAsync(Prompt prompt, FlowTokOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var features = Batch.Concat([.. Enumerable.Repeat(await FeaturesAsync(prompt, cancel).ConfigureAwait(false), options.Count)]);
        var noise = Tensor.Zeros<float>(options.Count, config.TextLength, config.TokenDim);
        for (var i = 0; i < options.Count; i++) Philox.Of(seed, i, draw: 0).FillNormal(noise.Slice(i).Span);
        var x = await calls.ProjectAsync(features, Batch.AddScaled(Tensor.Zeros<float>(noise.Shape), (float)options.Variation, noise), cancel).ConfigureAwait(false);
        for (var step = 1; step <= options.Steps; step++)
        {
            cancel.ThrowIfCancellationRequested();
            var time = (step - 1) / (float)options.Steps;
            var velocity = await calls.VelocityAsync(x, time, options.Guidance, cancel).ConfigureAwait(false);
            var seen = Batch.AddScaled(x, 1 - time, velocity);
            x = Batch.AddScaled(x, 1f / options.Steps, velocity);
            if (step == options.Steps) yield return Generation<Image>.Final(await ShowAsync(x).ConfigureAwait(false), options.Steps);
            else yield return Generation<Image>.Progress(step, options.Steps, options.PreviewEvery > 0 && step % options.PreviewEvery == 0 ? await ShowAsync(seen).ConfigureAwait(false) : null);
        }

        async Task<Image> ShowAsync(Tensor<float> tokens)
        {
            var pictures = await calls.PictureAsync(tokens, features, cancel).ConfigureAwait(false);
            for (var i = 0; i < pictures.Length; i++) pictures.Span[i] = Math.Clamp(pictures.Span[i], 0, 1);
            return PictureGrid.Of(pictures);
        }
    }

    private async Task<Tensor<float>> FeaturesAsync(Prompt prompt, CancellationToken cancel)
    {
        if (prompt.Media.OfType<NamedTensors>().FirstOrDefault()?.Values.GetValueOrDefault(Given) is Tensor<float> given)
        {
            return given.Shape.SequenceEqual([1L, config.TextLength, config.TextDim]) ? given
                : throw new MediaException(ErrorCodes.MediaUnsupported, "The text's features have another shape.") { Where = Given, Expected = $"(1, {config.TextLength}, {config.TextDim})", Found = given.ToString() };
        }

        var text = prompt.RequireText();
        if (texts is null) throw new MediaException(ErrorCodes.MediaUnsupported, "CLIP's text encoder is not beside the model.") { Where = "prompt", Expected = $"a tensor {Given}", Remedy = "Put the encoder into folders text_encoder and tokenizer beside the model, or give its features with the prompt." };
        var features = (await texts.EncodeAsync(text, cancel).ConfigureAwait(false)).Last;
        return features.Shape.SequenceEqual([1L, config.TextLength, config.TextDim]) ? features
            : throw new CheckpointException(ErrorCodes.ConfigInvalid, "The text encoder beside the model is another than it was trained with.") { Where = "text_encoder", Expected = $"(1, {config.TextLength}, {config.TextDim})", Found = features.ToString() };
    }
}
