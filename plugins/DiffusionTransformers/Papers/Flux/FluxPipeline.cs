using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.Flux;

/// <summary>Options of FLUX.1, in which guidance is an input of the network (dev) or not there (schnell).</summary>
public record FluxOptions : TextOptions
{
    /// <summary>Classifier-free guidance besides.</summary>
    [Description("Classifier-free guidance beside the one that the model has learned; 1 for none, and only else is the negative prompt seen."), Range(0.0, 100.0)]
    public double TrueGuidance { get; init; } = 1;

    /// <summary>Tokens of the text; null is the model's own number.</summary>
    [Description("Tokens of a text that are seen: 512 of dev and 256 of schnell when left out."), Range(1, 512)]
    public int? TextLength { get; init; }
}

/// <summary>The velocity of a packed picture (B, h w, C) of h rows and w columns of tokens, at a time in 0..1, with the tokens of the text, the whole of it, and a learned guidance; conditions hold what the paper adds.</summary>
internal delegate Task<Tensor<float>> FluxDenoiser(Tensor<float> picture, (int Rows, int Columns) size, float time, Tensor<float> text, Tensor<float> pooled, float guidance, Conditions conditions, CancellationToken cancel);

/// <summary>The transformer during one run.</summary>
/// <param name="Predict">Its prediction.</param>
internal sealed record FluxRun(FluxDenoiser Predict)
{
    /// <summary>A run of diffusers' transformer.</summary>
    /// <param name="flux">The transformer.</param>
    /// <param name="further">Further inputs of it, from the conditions; null for none.</param>
    public static FluxRun Of(FluxTransformer flux, Func<Conditions, (string, Tensor)[]>? further = null) => new((picture, size, time, text, pooled, guidance, conditions, cancel) =>
        flux.PredictAsync(picture, size, time, text, pooled, guidance, cancel, further?.Invoke(conditions) ?? []));

    /// <summary>What was built for this run and goes with it.</summary>
    public IDisposable? Owned { get; init; }

    /// <summary>See <see cref="Denoiser.Keep"/>.</summary>
    public Action<Tensor<float>, int, Conditions>? Keep { get; init; }
}

/// <summary>FLUX's text encoders.</summary>
internal sealed record FluxEncoders(ClipPrompts Clip, PromptEncoder T5);

/// <summary>Adds to what the transformer is told of a text; true for what is avoided.</summary>
internal delegate Task FluxTexts<TOptions>(FluxEncoders encoders, TextRun<TOptions> run, string text, bool avoided, Conditions conditions, CancellationToken cancel) where TOptions : TextOptions;

/// <summary>The published pipeline around FLUX's transformer: T5's tokens are the text, CLIP's end token the whole; pictures go packed, 2 x 2 places a token.</summary>
internal static class FluxPipeline
{
    private const int Patch = 2, SampleSize = 128;
    private const double LearnedGuidance = 3.5;
    private const string Text = "text", Pooled = "pooled";

    /// <summary>Name of the mask of a text's padding in the conditions, (B, M), where it is asked for.</summary>
    public const string Mask = "mask";

    /// <summary>The pipeline over a folder; null when it has no text encoders.</summary>
    /// <param name="pipeline">The folder.</param>
    /// <param name="config">The transformer's configuration.</param>
    /// <param name="begin">The transformer of a run, and what else the paper does.</param>
    /// <param name="encode">Adds to the conditions of a text; null for nothing.</param>
    /// <param name="masked">True where padding of the text is hidden, from the encoder and from the transformer.</param>
    public static TextPipeline<TOptions>? Of<TOptions>(PipelineFolder pipeline, FluxConfig config, Func<TextRun<TOptions>, FluxRun> begin, FluxTexts<TOptions>? encode = null, bool masked = false) where TOptions : FluxOptions, new()
    {
        if (ClipPrompts.Open(pipeline) is not { } clip) return null;
        var t5 = PromptEncoder.Open(pipeline, "_2") ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "FLUX reads texts by CLIP and by T5.") { Where = pipeline.Root, Expected = "text_encoder_2, tokenizer_2" };
        return new(config.InChannels / (Patch * Patch), SampleSize, Patch, IsFlow: true)
        {
            Steps = config.GuidanceEmbeds ? 28 : 4,
            Scale = options => options.TrueGuidance,
            Schedule = Schedule,
            Encode = async (run, text, avoided, cancel) =>
            {
                var words = await t5.EncodeAsync(text, Words(run.Options, config), "", masked, cancel).ConfigureAwait(false);
                var conditions = new Conditions { [Text] = words.Tokens, [Pooled] = (await clip.EncodeAsync(text, cancel).ConfigureAwait(false)).Pooled };
                if (masked) conditions[Mask] = words.Mask;
                if (encode is not null) await encode(new(clip, t5), run, text, avoided, conditions, cancel).ConfigureAwait(false);
                return conditions;
            },
            Begin = run =>
            {
                var (paper, size, guidance) = (begin(run), Tokens(run), (float)(run.Options.Guidance ?? LearnedGuidance));
                return new(async (x, timestep, texts, cancel) =>
                    Unpack(await paper.Predict(Pack(x), size, timestep / 1000, texts[Text], texts[Pooled], guidance, texts, cancel).ConfigureAwait(false), size))
                { Owned = paper.Owned, Keep = paper.Keep };
            },
            Parts = [clip, t5],
        };
    }

    /// <summary>Tokens of a text that a run sees.</summary>
    public static int Words(FluxOptions options, FluxConfig config) => options.TextLength ?? (config.GuidanceEmbeds ? 512 : 256);

    /// <summary>Rows and columns of a run's tokens.</summary>
    public static (int Rows, int Columns) Tokens<TOptions>(TextRun<TOptions> run) where TOptions : TextOptions => (run.Height / Patch, run.Width / Patch);

    /// <summary>Latents (B, C, H, W) to tokens (B, H W / 4, 4 C), channels slowest.</summary>
    public static Tensor<float> Pack(Tensor<float> x)
    {
        var (batch, channels, rows, columns) = ((int)x.Shape[0], (int)x.Shape[1], (int)x.Shape[2] / Patch, (int)x.Shape[3] / Patch);
        var tokens = Tensor.Zeros<float>(batch, rows * columns, channels * Patch * Patch);
        Move(batch, channels, rows, columns, (place, token) => tokens.Span[token] = x.Span[place]);
        return tokens;
    }

    /// <summary>Tokens of so many rows and columns to latents.</summary>
    public static Tensor<float> Unpack(Tensor<float> tokens, (int Rows, int Columns) size)
    {
        var (batch, channels) = ((int)tokens.Shape[0], (int)tokens.Shape[2] / (Patch * Patch));
        var x = Tensor.Zeros<float>(batch, channels, size.Rows * Patch, size.Columns * Patch);
        Move(batch, channels, size.Rows, size.Columns, (place, token) => x.Span[place] = tokens.Span[token]);
        return x;
    }

    // Pairs of places in both layouts.
    private static void Move(int batch, int channels, int rows, int columns, Action<int, int> pair)
    {
        for (var (place, width, height) = (0, columns * Patch, rows * Patch); place < batch * channels * width * height; place++)
        {
            var (x, y, c, b) = (place % width, place / width % height, place / (width * height) % channels, place / (width * height * channels));
            pair(place, ((b * rows + y / Patch) * columns + x / Patch) * channels * Patch * Patch + (c * Patch + y % Patch) * Patch + x % Patch);
        }
    }

    // Shifted by the size of the picture where the scheduler says so.
    private static ScheduleRequest Schedule(ISchedulerConfig config, int steps, int tokens) => SchedulerChoice.Even(config, steps, mu: TextGenerator<FluxOptions>.Mu(config, tokens));
}
