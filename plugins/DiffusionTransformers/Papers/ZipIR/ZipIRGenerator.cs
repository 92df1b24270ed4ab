using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.ZipIR;

/// <summary>Options of restoration.</summary>
public sealed record RestoreOptions : ModelOptions
{
    /// <summary>Steps.</summary>
    [Description("Steps from noise to the restored picture."), Range(1, 1000)]
    public int Steps { get; init; } = 20;

    /// <summary>Scale of guidance.</summary>
    [Description("How strongly the text is followed, where its features are given: classifier-free guidance, 1 for none."), Range(0.0, 100.0)]
    public double Guidance { get; init; } = 1;

    /// <summary>Steps between partial pictures.</summary>
    [Description("Steps between partial pictures of what is seen so far, each decoded; 0 for none."), Range(0, 1000)]
    public int PreviewEvery { get; init; } = 5;
}

/// <summary>A picture to its restoration, of the same size. Features of a text, <c>text_features</c> (1, words, width), may be given with it; without them there is no text.</summary>
/// <param name="calls">The networks.</param>
/// <param name="config">The published configuration.</param>
internal sealed class ZipIRGenerator(ZipIRCalls calls, ZipIRConfig config) : IGenerate<Image, RestoreOptions>
{
    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Image>> GenerateAsync(Prompt prompt, RestoreOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var picture = prompt.Require<Image>();
        if (picture.Channels != 3 || picture.Height % config.Factor != 0 || picture.Width % config.Factor != 0)
            throw new MediaException(ErrorCodes.MediaUnsupported, "The picture does not divide into places of the latent.") { Expected = $"three channels, height and width in multiples of {config.Factor}", Found = $"{picture.Channels} x {picture.Height} x {picture.Width}" };
        var image = Tensor.Zeros<float>(1, 3, picture.Height, picture.Width);
        for (var i = 0; i < image.Length; i++) image.Span[i] = 2 * picture.Pixels.Span[i] - 1;
        var noise = Tensor.Zeros<float>(1, config.Channels, picture.Height / config.Factor, picture.Width / config.Factor);
        Philox.Of(seed, 0, draw: 0).FillNormal(noise.Span);
        var step = 0;
        await foreach (var (state, clean) in calls.StatesAsync(image, noise, Text(prompt), options.Steps, options.Guidance, cancel).ConfigureAwait(false))
        {
            if (++step == options.Steps) yield return Generation<Image>.Final(await ShowAsync(state, cancel).ConfigureAwait(false), options.Steps);
            else yield return Generation<Image>.Progress(step, options.Steps, options.PreviewEvery > 0 && step % options.PreviewEvery == 0 ? await ShowAsync(clean, cancel).ConfigureAwait(false) : null);
        }
    }

    private Tensor<float>? Text(Prompt prompt)
    {
        if (config.TextDim == 0) return null;
        if (prompt.Media.OfType<NamedTensors>().FirstOrDefault()?.Values.GetValueOrDefault("text_features") is not Tensor<float> given) return Tensor.Zeros<float>(1, 1, config.TextDim);
        return given.Rank == 3 && given.Shape[0] == 1 && given.Shape[2] == config.TextDim ? given
            : throw new MediaException(ErrorCodes.MediaUnsupported, "The text's features have another shape.") { Where = "text_features", Expected = $"(1, words, {config.TextDim})", Found = given.ToString() };
    }

    private async Task<Image> ShowAsync(Tensor<float> latent, CancellationToken cancel) => new(PixelDecoder.ToUnit(await calls.PictureAsync(latent, cancel).ConfigureAwait(false)).Slice(0));
}
