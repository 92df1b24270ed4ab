using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Encoders;
using ModelZoo.Networks.Sampling;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.Kaleido;

/// <summary>Options of Kaleido's pictures.</summary>
public sealed record KaleidoOptions : TextOptions
{
    /// <summary>Most latents of a picture.</summary>
    [Description("Most latent tokens that are drawn for each picture before it is made; 0 for the diffusion model of the caption alone."), Range(0, 512)]
    public int MaxLatents { get; init; } = 77;

    /// <summary>Spread of the latents.</summary>
    [Description("How freely latent tokens are drawn; 0 takes the likeliest, so that pictures differ by their noise alone."), Range(0.0, 10.0)]
    public double Temperature { get; init; } = 1;
}

/// <summary>Captions to pictures: every picture draws latents of its own, and is made of the caption and of them.</summary>
internal static class KaleidoPipeline
{
    private const string Tokens = "tokens", Mask = "mask";

    // Tokens of a caption that are seen.
    private const int CaptionLength = 128;

    /// <summary>The generator over a folder; null when it has no tokenizer.</summary>
    public static TextGenerator<KaleidoOptions>? Open(PipelineFolder pipeline, LatentModel latents, KaleidoCalls calls, UNetConfig config)
    {
        if (pipeline.Find("tokenizer") is not { } folder) return null;
        var pieces = SentencePieces.Open(folder);
        return new TextPipeline<KaleidoOptions>(config.OutChannels, config.Extent, PatchSize: 1 << (config.BlockOutChannels.Length - 1), IsFlow: false)
        {
            Steps = 50,
            Guidance = 7.5,
            Scheduler = KaleidoCalls.Scheduler,
            Encode = async (run, text, avoided, cancel) =>
            {
                var condition = (await EncodeAsync(latents, pieces, run, text, avoided, cancel).ConfigureAwait(false)).Filled(CaptionLength + run.Options.MaxLatents);
                return new() { [Tokens] = condition.Tokens, [Mask] = condition.Mask };
            },
            Begin = _ => new((x, timestep, conditions, cancel) => calls.NoiseAsync(x, Batch.Filled(x.Shape[0], timestep), new(conditions[Tokens], conditions[Mask]), cancel)),
        }.Open(pipeline);
    }

    private static async Task<EncodedPrompt> EncodeAsync(LatentModel latents, SentencePieces pieces, TextRun<KaleidoOptions> run, string text, bool avoided, CancellationToken cancel)
    {
        List<long> ids = [.. pieces.Encode(text).Take(CaptionLength - 1).Select(id => (long)id)];
        if (pieces.EndId is { } end) ids.Add(end);
        var caption = await latents.EncodeAsync(Tensor.Create<long>([.. ids], 1, ids.Count), cancel).ConfigureAwait(false);
        if (avoided || run.Options.MaxLatents == 0) return KaleidoCalls.Whole(caption);
        var captions = Batch.Concat([.. Enumerable.Repeat(caption, run.Count)]);
        return KaleidoCalls.Append(captions, await latents.SampleAsync(captions, run.Options.MaxLatents, ends: true, Pick, cancel).ConfigureAwait(false));

        // A stream apart from those of the schedulers' noise.
        long Pick(int row, int place, float[] scores) => run.Options.Temperature == 0
            ? System.Numerics.Tensors.TensorPrimitives.IndexOfMax<float>(scores)
            : Categorical.Draw(scores, (float)run.Options.Temperature, Philox.Of(run.Seed, row, draw: int.MaxValue).Uniform((ulong)place)).Id;
    }
}
