using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>The prediction for samples (B, C, H, W) at times (B), with tokens (B, N, E), their mask (B, N) and further inputs (B, width) by name.</summary>
internal delegate Task<Tensor<float>> MaskedDenoiser(Tensor<float> sample, Tensor<float> time, Tensor<float> tokens, Tensor<float>? mask, IReadOnlyDictionary<string, Tensor<float>> vectors, CancellationToken cancel);

/// <summary>Models that read the tokens of one T5 or Gemma encoder, with a mask for padding.</summary>
/// <param name="Channels">Channels of the latent.</param>
/// <param name="SampleSize">Height and width of the latent that the model was trained for.</param>
/// <param name="PatchSize">Places of the latent per token, along each side.</param>
/// <param name="IsFlow">True when it predicts a velocity, false for noise.</param>
internal sealed record MaskedText(int Channels, int SampleSize, int PatchSize, bool IsFlow)
{
    private const string Tokens = "tokens", Mask = "mask";

    /// <summary>Tokens of a text that the model sees.</summary>
    public int TextLength { get; init; } = 300;

    /// <summary>The model's time over the scheduler's.</summary>
    public float TimeScale { get; init; } = 1;

    /// <summary>What the text encoder is told before a prompt.</summary>
    public string Instruction { get; init; } = "";

    /// <summary>See <see cref="TextPipeline{TOptions}.Scheduler"/>.</summary>
    public PublishedScheduler? Scheduler { get; init; }

    /// <summary>Further inputs by name: width of each and its values for a picture's height and width in pixels.</summary>
    public IReadOnlyDictionary<string, Func<int, int, float[]>> Vectors { get; init; } = new Dictionary<string, Func<int, int, float[]>>();

    /// <summary>The pipeline over a published folder; null when it has no text encoder.</summary>
    public TextPipeline<TextOptions>? Of(PipelineFolder pipeline, MaskedDenoiser denoiser)
    {
        if (PromptEncoder.Open(pipeline) is not { } encoder) return null;
        return new TextPipeline<TextOptions>(Channels, SampleSize, PatchSize, IsFlow)
        {
            Encode = (_, text, avoided, cancel) => EncodeAsync(encoder, text, avoided, cancel),
            Begin = run => new((x, timestep, conditions, cancel) => PredictAsync(denoiser, run, x, timestep, conditions, cancel)),
            Scheduler = Scheduler,
            Parts = [encoder],
        };
    }

    // The published pipelines lower the case of texts and trim them; what the picture should not show goes without instruction.
    private async Task<Conditions> EncodeAsync(PromptEncoder encoder, string text, bool avoided, CancellationToken cancel)
    {
        var encoded = await encoder.EncodeAsync(text.ToLowerInvariant().Trim(), TextLength, avoided ? "" : Instruction, true, cancel).ConfigureAwait(false);
        return new() { [Tokens] = encoded.Tokens, [Mask] = encoded.Mask };
    }

    private Task<Tensor<float>> PredictAsync(MaskedDenoiser denoiser, TextRun<TextOptions> run, Tensor<float> x, float timestep, Conditions conditions, CancellationToken cancel)
    {
        var (batch, scale) = ((int)x.Shape[0], run.Decoder.Downsampling);
        var vectors = Vectors.ToDictionary(vector => vector.Key, vector => Rows(vector.Value(run.Height * scale, run.Width * scale), batch));
        return denoiser(x, Batch.Filled(batch, timestep * TimeScale), conditions[Tokens], conditions[Mask], vectors, cancel);
    }

    private static Tensor<float> Rows(float[] values, int count) => Tensor.Create<float>([.. Enumerable.Repeat(values, count).SelectMany(row => row)], count, values.Length);
}
