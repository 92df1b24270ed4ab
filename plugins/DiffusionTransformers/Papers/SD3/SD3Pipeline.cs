using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.SD3;

/// <summary>The published pipeline around SD3's transformer: tokens of two CLIPs side by side, those of T5 behind them; the CLIPs' end tokens are the whole.</summary>
internal static class SD3Pipeline
{
    private const int T5Length = 256;
    private const string Text = "text", Pooled = "pooled_projections";

    /// <summary>The pipeline over a folder; null when it has no text encoders. T5 may be missing, then zeros stand for its tokens.</summary>
    /// <param name="pipeline">The folder.</param>
    /// <param name="config">The transformer's configuration.</param>
    /// <param name="begin">The denoiser of a run.</param>
    public static TextPipeline<TOptions>? Of<TOptions>(PipelineFolder pipeline, SD3Config config, Func<TextRun<TOptions>, Denoiser> begin) where TOptions : TextOptions, new()
    {
        if (ClipPrompts.Open(pipeline) is not { } first) return null;
        var second = ClipPrompts.Open(pipeline, "_2") ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "Stable Diffusion 3 reads texts by two CLIPs.") { Where = pipeline.Root, Expected = "text_encoder_2, tokenizer_2" };
        var t5 = PromptEncoder.Open(pipeline, "_3");
        return new(config.InChannels, config.SampleSize, config.PatchSize, IsFlow: true)
        {
            Steps = 28,
            Guidance = 7,
            Encode = async (_, text, _, cancel) =>
            {
                var (a, b) = (await first.EncodeAsync(text, cancel).ConfigureAwait(false), await second.EncodeAsync(text, cancel).ConfigureAwait(false));
                var words = Columns.Wide(Columns.Join(a.Penultimate, b.Penultimate), config.JointAttentionDim);
                var tokens = t5 is null ? Tensor.Zeros<float>(1, words.Shape[1], config.JointAttentionDim) : (await t5.EncodeAsync(text, T5Length, "", masked: false, cancel).ConfigureAwait(false)).Tokens;
                return new() { [Text] = Columns.Behind(words, tokens), [Pooled] = Columns.Join(a.Projected ?? a.Pooled, b.Projected ?? b.Pooled) };
            },
            Begin = begin,
            Parts = [first, second, .. t5 is null ? Array.Empty<IDisposable>() : [t5]],
        };
    }

    /// <summary>SD3's prediction.</summary>
    public static Task<Tensor<float>> PredictAsync(TextNetwork network, Tensor<float> x, float timestep, Conditions texts, CancellationToken cancel, params (string Name, Tensor<float> Tensor)[] pictures) =>
        network.PredictAsync(x, Batch.Filled(x.Shape[0], timestep), Tokens(texts), null, pictures.Append((Pooled, Whole(texts))).ToDictionary(), cancel);

    /// <summary>The tokens of texts: (B, N, D).</summary>
    public static Tensor<float> Tokens(Conditions texts) => texts[Text];

    /// <summary>What texts say as a whole: (B, P).</summary>
    public static Tensor<float> Whole(Conditions texts) => texts[Pooled];
}
