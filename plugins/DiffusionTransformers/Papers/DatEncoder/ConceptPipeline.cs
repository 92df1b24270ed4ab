using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Encoders;
using ModelZoo.Networks.Sampling;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.DatEncoder;

/// <summary>Options of pictures of a given concept.</summary>
public sealed record ConceptPictureOptions : TextOptions
{
    /// <summary>What the concept is.</summary>
    [Description("A word for what kind of thing the given picture shows; the concept's own word is sought near it.")]
    public string Class { get; init; } = "object";

    /// <summary>Share of the soft path.</summary>
    [Description("Share of the path with the concept's own word and weights; the rest is of the nearest word that there is."), Range(0.0, 1.0)]
    public double Blend { get; init; } = 0.25;
}

/// <summary>What the encoder sees in a picture: its features, and those of the U-Net's middle for its noised latent.</summary>
internal sealed class ConceptEyes : IDisposable
{
    // CLIP's mean and deviation of each channel.
    private static readonly double[] Mean = [0.48145466, 0.4578275, 0.40821073], Deviation = [0.26862954, 0.26130258, 0.27577711];

    private readonly Checkpoint _checkpoint;
    private readonly Network _vision;
    private readonly UNet.UNet _middle;
    private readonly int _size;

    /// <summary>Opens CLIP's vision encoder of a folder beside the U-Net.</summary>
    public ConceptEyes(ModelSource source, string folder, NetworkContext unet, UNetConfig config)
    {
        var vision = PublishedConfig.Read<ClipVisionConfig>(folder).Value;
        (_checkpoint, _size) = (Checkpoint.Open(folder), (int)vision.ImageSize);
        _vision = Network.Build(NetworkContext.Of(source, _checkpoint) with { Stages = false }, "clip vision", scope =>
            scope.Graph.Output("feature", ClipVision.Project(scope, ClipVision.Encode(scope, scope.Graph.Input("pixels", [1, 3, vision.ImageSize, vision.ImageSize]), vision).Pooled, vision.ProjectionDim)));
        _middle = new(unet, config, (scope, _, _) => new() { Middle = h => Show(scope, h) });
    }

    /// <summary>CLIP's feature of a picture (3, H, W): (1, I).</summary>
    public async Task<Tensor<float>> LookAsync(Tensor<float> picture, CancellationToken cancel)
    {
        var (height, width) = ((int)picture.Shape[1], (int)picture.Shape[2]);
        var (rows, columns) = height < width ? (_size, width * _size / height) : (height * _size / width, _size);
        var (resized, pixels) = (Pictures.Resize(picture, rows, columns), Tensor.Zeros<float>(1, 3, _size, _size));
        var (top, left) = ((rows - _size) / 2, (columns - _size) / 2);
        for (var i = 0; i < pixels.Length; i++)
        {
            var (channel, y, x) = (i / (_size * _size), i / _size % _size, i % _size);
            pixels.Span[i] = (float)((resized[channel, top + y, left + x] - Mean[channel]) / Deviation[channel]);
        }

        return (await _vision.RunAsync(cancel, ("pixels", pixels)).ConfigureAwait(false))["feature"];
    }

    /// <summary>The U-Net's middle for a noised latent, the mean of its places: (1, M).</summary>
    public async Task<Tensor<float>> FeelAsync(Tensor<float> latent, float timestep, Tensor<float> text, CancellationToken cancel) =>
        (await _middle.RunAsync(latent, Batch.Filled(1, timestep), text, null, cancel).ConfigureAwait(false))["middle"];

    /// <inheritdoc/>
    public void Dispose()
    {
        _vision.Dispose();
        _middle.Dispose();
        _checkpoint.Dispose();
    }

    private static Value Show(Scope scope, Value h)
    {
        scope.Graph.Output("middle", h.Flatten(2).Mean(2));
        return h;
    }
}

/// <summary>Stable Diffusion with a concept of one picture, which prompts call <c>*</c>; without a picture it is Stable Diffusion as it is.</summary>
internal static class ConceptPipeline
{
    private const string Placeholder = "*", Hard = "hard_states";

    // The time that the encoder is told, and the noise that it sees the picture in: the middle, as the specification leaves it open.
    private const int Time = 500;

    /// <summary>The generator over a folder; null when it has no text encoder or no image encoder.</summary>
    public static TextGenerator<ConceptPictureOptions>? Open(PipelineFolder pipeline, NetworkContext unet, DatEncoderCalls calls, DatEncoderConfig config)
    {
        if (pipeline.Find("image_encoder") is not { } vision || ClipPrompts.Open(pipeline) is not { } clip) return null;
        var eyes = new ConceptEyes(pipeline.Source, vision, unet, config.Unet);
        var text = Network.Build(clip.Context, "concept text", scope => DeclareText(scope, clip.Config));
        var stable = StableDiffusion.Over<ConceptPictureOptions>(pipeline, config.Unet, run => Asks(run.Prompt) is null ? calls.Plain : calls.Steered(run.Options.Blend))!;
        return (stable with
        {
            Encode = async (run, prompt, avoided, cancel) =>
            {
                if (Asks(run.Prompt) is not { } picture) return await stable.Encode(run, prompt, avoided, cancel).ConfigureAwait(false);
                if (avoided)
                {
                    var nothing = (await clip.EncodeAsync(prompt, cancel).ConfigureAwait(false)).Last;
                    return new() { [StableDiffusion.Text] = nothing, [Hard] = nothing };
                }

                var concept = await ConceptAsync(run, picture, cancel).ConfigureAwait(false);
                var places = PromptWords.Places(clip.Words, prompt, Placeholder, "prompt");
                foreach (var (name, word) in ((string, string)[])[(StableDiffusion.Text, "soft_token"), (Hard, "hard_token")]) concept[name] = await ReadAsync(prompt, places[0], concept[word], cancel).ConfigureAwait(false);
                return concept;
            },
            Parts = [.. stable.Parts, clip, eyes, text],
        }).Open(pipeline);

        async Task<Conditions> ConceptAsync(TextRun<ConceptPictureOptions> run, Tensor<float> picture, CancellationToken cancel)
        {
            var (height, width) = (run.Height * run.Decoder.Downsampling, run.Width * run.Decoder.Downsampling);
            var latent = await run.Decoder.EncodeAsync(Pictures.Resize(picture, height, width).Reshape(1, 3, height, width), cancel).ConfigureAwait(false);
            var noise = Tensor.Zeros<float>(latent.Shape);
            // A stream apart from those of pictures.
            Philox.Of(run.Seed, 0, draw: int.MaxValue).FillNormal(noise.Span);
            var (signal, share) = Levels();
            var noised = Batch.AddScaled(Batch.AddScaled(Tensor.Zeros<float>(latent.Shape), signal, latent), share, noise);
            var states = (await clip.EncodeAsync($"a photo of a {run.Options.Class}", cancel).ConfigureAwait(false)).Last;
            var feature = await eyes.FeelAsync(noised, Time, states, cancel).ConfigureAwait(false);
            var id = clip.Words.Encode(run.Options.Class) is [var first, ..] ? first : throw new OptionsException(ErrorCodes.OptionRange, "The kind of thing is no word.") { Where = "class", Expected = "a word", Found = run.Options.Class };
            return await calls.ConceptAsync(await eyes.LookAsync(picture, cancel).ConfigureAwait(false), feature, Time, id, cancel).ConfigureAwait(false);
        }

        async Task<Tensor<float>> ReadAsync(string prompt, int place, Tensor<float> word, CancellationToken cancel)
        {
            var ids = clip.Ids(prompt);
            var here = Tensor.Zeros<float>(1, ids.Shape[1], 1);
            here.Span[place] = 1;
            return (await text.RunAsync(cancel, ("ids", ids), ("here", here), ("word", word.Reshape(1, 1, word.Length))).ConfigureAwait(false))["states"];
        }
    }

    private static Tensor<float>? Asks(Prompt prompt) => prompt.Media.OfType<Image>().FirstOrDefault() is { } picture ? Pictures.ToRgb(picture.Pixels) : null;

    // Stable Diffusion's own schedule.
    private static (float Signal, float Noise) Levels()
    {
        var remaining = 1.0;
        for (var t = 0; t <= Time; t++)
        {
            var beta = Math.Sqrt(0.00085) + (Math.Sqrt(0.012) - Math.Sqrt(0.00085)) * t / 999;
            remaining *= 1 - beta * beta;
        }

        return ((float)Math.Sqrt(remaining), (float)Math.Sqrt(1 - remaining));
    }

    // CLIP's text encoder with one word that is given as a vector.
    private static void DeclareText(Scope clip, ClipTextConfig config)
    {
        var (g, text, length) = (clip.Graph, clip["text_model"], config.MaxPositionEmbeddings);
        var (ids, here, word) = (g.Input("ids", ElementType.Int64, [1, length]), g.Input("here", [1, length, 1]), g.Input("word", [1, 1, config.HiddenSize]));
        var words = text["embeddings.token_embedding"].Embedding(ids, config.VocabSize, config.HiddenSize);
        g.Output("states", ClipText.EncodeEmbeddings(text, words + here * (word - words), ClipText.EndOfText(ids, config), config).LastHiddenState);
    }
}
