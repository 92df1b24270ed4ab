using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.LiDiT;

/// <summary>
/// Text to pictures by LI-DiT: features are those of the language models beside it (<c>text_encoder</c>, <c>text_encoder_2</c>, ..), or are given with the prompt as tensors <c>features_k</c> (1, M, E), <c>mask_k</c> (1, M) and, for guidance, the same
/// with <c>negative_</c> in front.
/// </summary>
internal static class LiDiTPipeline
{
    // What the language models are told before a prompt; it stays in their features (section 3.2).
    private const string Instruction = "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial relationships of the objects: ";

    // Latents of pictures of 512 x 512, and tokens of a text with its instruction.
    private const int SampleSize = 64, TextLength = 256;

    /// <summary>The generator over a folder.</summary>
    public static TextGenerator<TextOptions> Open(PipelineFolder pipeline, LiDiTCalls calls, LiDiTConfig config)
    {
        var encoders = config.LlmDims.Select((_, k) => PromptEncoder.Open(pipeline, k == 0 ? "" : $"_{k + 1}")).OfType<PromptEncoder>().ToList();
        return new TextPipeline<TextOptions>(config.InChannels, SampleSize, config.PatchSize, IsFlow: true)
        {
            Schedule = (scheduler, steps, _) => SchedulerChoice.Even(scheduler, steps),
            Encode = async (run, text, avoided, cancel) =>
            {
                var conditions = new Conditions();
                for (var k = 0; k < config.LlmDims.Length; k++)
                {
                    var (given, other) = (Given(run.Prompt, k, avoided), Given(run.Prompt, k, !avoided));
                    var read = given ?? (encoders.Count == config.LlmDims.Length ? await encoders[k].EncodeAsync(Instruction + text, TextLength, "", masked: true, cancel).ConfigureAwait(false) : throw Missing(k, avoided));
                    (conditions[Features(k)], conditions[Mask(k)]) = read.Filled(other is null && encoders.Count > 0 ? TextLength : (int)(other?.Tokens.Shape[1] ?? 0));
                }

                return conditions;
            },
            Begin = _ => new((x, timestep, texts, cancel) => calls.PredictAsync(x, Batch.Filled(x.Shape[0], timestep / 1000), [.. texts.Select(text => (text.Key, (Tensor)text.Value))], cancel)),
            Parts = encoders,
        }.Open(pipeline);
    }

    private static EncodedPrompt? Given(Prompt prompt, int k, bool avoided)
    {
        var prefix = avoided ? "negative_" : "";
        if (prompt.Media.OfType<NamedTensors>().FirstOrDefault()?.Values is not { } tensors || tensors.GetValueOrDefault(prefix + Features(k)) is not Tensor<float> { Rank: 3 } features) return null;
        return new(features, tensors.GetValueOrDefault(prefix + Mask(k)) is { } mask ? ClassNetwork.Times(mask) : LiDiTCalls.Whole(features));
    }

    private static MediaException Missing(int k, bool avoided) => new(ErrorCodes.MediaUnsupported, "The features of a language model are not given, and the model is not there to make them.")
    {
        Where = "prompt",
        Expected = avoided ? $"negative_features_{k}, or --option guidance=1" : $"a tensor features_{k}",
        Remedy = "Put the language models into folders text_encoder, tokenizer, text_encoder_2, .. beside the model, or give their features with the prompt.",
    };

    private static string Features(int k) => $"features_{k}";

    private static string Mask(int k) => $"mask_{k}";
}
