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

/// <summary>The published pipeline around FLUX's transformer: T5's tokens are the text, CLIP's end token the whole; pictures go packed, 2 x 2 places a token.</summary>
internal static class FluxPipeline
{
    private const int Patch = 2, SampleSize = 128;
    private const double LearnedGuidance = 3.5;
    private const string Text = "text", Pooled = "pooled";

    /// <summary>The pipeline over a folder; null when it has no text encoders.</summary>
    /// <param name="pipeline">The folder.</param>
    /// <param name="config">The transformer's configuration.</param>
    /// <param name="network">The transformer of a run.</param>
    /// <param name="further">Further inputs of it.</param>
    public static TextPipeline<TOptions>? Of<TOptions>(PipelineFolder pipeline, FluxConfig config, Func<TextRun<TOptions>, FluxTransformer> network, Func<TextRun<TOptions>, Conditions, (string, Tensor)[]>? further = null) where TOptions : FluxOptions, new()
    {
        if (ClipPrompts.Open(pipeline) is not { } clip) return null;
        var t5 = PromptEncoder.Open(pipeline, "_2") ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "FLUX reads texts by CLIP and by T5.") { Where = pipeline.Root, Expected = "text_encoder_2, tokenizer_2" };
        return new(config.InChannels / (Patch * Patch), SampleSize, Patch, IsFlow: true)
        {
            Steps = config.GuidanceEmbeds ? 28 : 4,
            Scale = options => options.TrueGuidance,
            Schedule = Schedule,
            Encode = async (run, text, _, cancel) => new()
            {
                [Text] = (await t5.EncodeAsync(text, run.Options.TextLength ?? (config.GuidanceEmbeds ? 512 : 256), "", masked: false, cancel).ConfigureAwait(false)).Tokens,
                [Pooled] = (await clip.EncodeAsync(text, cancel).ConfigureAwait(false)).Pooled,
            },
            Begin = run =>
            {
                var (flux, size) = (network(run), (run.Height / Patch, run.Width / Patch));
                return new(async (x, timestep, texts, cancel) =>
                    Unpack(await flux.PredictAsync(Pack(x), size, timestep / 1000, texts[Text], texts[Pooled], (float)(run.Options.Guidance ?? LearnedGuidance), cancel, further?.Invoke(run, texts) ?? []).ConfigureAwait(false), size));
            },
            Parts = [clip, t5],
        };
    }

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

    // The published pipeline gives Euler's levels itself: evenly from 1 to 1/steps, shifted by the size of the picture where the scheduler says so.
    private static ScheduleRequest Schedule(ISchedulerConfig config, int steps, int tokens) => config is FlowMatchEulerConfig
        ? new() { Sigmas = [.. Enumerable.Range(0, steps).Select(i => 1 - i * (1 - 1.0 / steps) / Math.Max(1, steps - 1))], Mu = TextGenerator<FluxOptions>.Mu(config, tokens) }
        : new(steps);
}
