// In-Context LoRA for Diffusion Transformers. Huang, Wang, Wu, Shi, Liu, Liu, Zhou et al. arXiv:2410.23775. github.com/ali-vilab/In-Context-LoRA
// Published layout: diffusers FluxTransformer2DModel and, beside it, one .safetensors of lora_A and lora_B. Deviations: none.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.InContextLora;

/// <summary>FLUX.1 with a low-rank adaptation that paints panels of one set; some of them may be given.</summary>
public static class InContextLoraModel
{
    private const string FirstMerged = "transformer_blocks.0.norm1.linear.weight";

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/in-context-lora",
            Paper = "In-Context LoRA for Diffusion Transformers",
            ArXiv = "2410.23775",
            Authors = ["Lianghua Huang", "Wei Wang", "Zhi-Fan Wu", "Yupeng Shi", "Huanzhang Dou", "Chen Liang", "Yutong Feng", "Yu Liu", "Jingren Zhou"],
            Repository = "ali-vilab/In-Context-LoRA",
            CodeLicense = "none stated",
            Inputs = [Modality.Text, Modality.Image],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: FluxTransformer2DModel, alone or in a pipeline's folder, + a LoRA in .safetensors"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(source);
        var config = PublishedConfig.Read<FluxConfig>(pipeline.Denoiser("transformer").RequireFolder()).Value;
        var lora = Weights.Companions(source, "*lora*.safetensors");
        return Weights.Guarded(pipeline.Base("transformer"), checkpoint =>
        {
            var generator = FluxPipeline.Of<PanelOptions>(pipeline, config, run =>
            {
                var flux = new FluxTransformer(NetworkContext.Of(source, Adapted(run.Options.LoraScale)) with { Stages = false }, config);
                return FluxRun.Of(flux) with { Owned = flux, Keep = KnownPanels.Keep(run) };
            }, KnownPanels.EncodeAsync)?.Open(pipeline);
            return PublishedModel.Generating([checkpoint, .. lora], [], CallAsync, generator);

            LoraTensors Adapted(double scale) => LoraTensors.Diffusers(checkpoint, lora[0], (float)scale, "transformer.");

            async Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken token)
            {
                var weights = Adapted(arguments.Literal("lora_scale", 1.0));
                using var flux = new FluxTransformer(NetworkContext.Of(source, weights), config);
                return call switch
                {
                    "forward" => await ForwardAsync(flux, weights, arguments, token).ConfigureAwait(false),
                    "inpaint" => await InpaintAsync(flux, pipeline, arguments, token).ConfigureAwait(false),
                    _ => throw Calls.Unknown(call, "forward, inpaint"),
                };
            }
        });
    }

    private static async Task<CallResults> ForwardAsync(FluxTransformer flux, LoraTensors weights, CallArguments arguments, CancellationToken cancel)
    {
        var results = await flux.ForwardAsync(arguments, cancel).ConfigureAwait(false);
        if (weights.Find(FirstMerged) is { } merged) results.Add("merged_weight", Tensor.Create(WeightConversion.ToFloat32(merged).Span<float>().ToArray(), merged.Shape));
        return results.Add("velocity_without_lora", results.Tensor("velocity"));
    }

    // What is known is put back after each step with as much noise as there then is, so that known panels come out as they went in.
    private static async Task<CallResults> InpaintAsync(FluxTransformer flux, PipelineFolder pipeline, CallArguments arguments, CancellationToken cancel)
    {
        var (image, noise, mask) = (arguments.Tensor<float>("image_latents"), arguments.Tensor<float>("noise"), arguments.Tensor<float>("mask"));
        var (steps, strength) = (arguments.Literal("num_inference_steps", 28), arguments.Literal("strength", 1.0));
        _ = arguments.Has("panels");
        var published = pipeline.Scheduler ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no scheduler.") { Where = pipeline.Root, Expected = "scheduler_config.json" };
        var scheduler = published.Config.Create();
        double[] sigmas = [.. Enumerable.Range(0, steps).Select(i => 1 + i * (1.0 / steps - 1) / Math.Max(1, steps - 1))];
        var first = steps - (int)Math.Min(steps * strength, steps);
        scheduler.SetTimesteps(new() { Sigmas = sigmas, Mu = arguments.Has("mu") ? arguments.Literal<double>("mu") : null });
        var (times, levels) = (scheduler.Timesteps[first..].ToArray(), scheduler.Sigmas[first..].ToArray());
        var x = Noised(image, noise, levels[0]);
        var states = new List<Tensor<float>> { x };
        for (var i = 0; i < times.Length; i++)
        {
            var results = await flux.ForwardAsync(arguments, x, Batch.Filled(x.Shape[0], times[i] / 1000), cancel).ConfigureAwait(false);
            var moved = Batch.AddScaled(x, levels[i + 1] - levels[i], (Tensor<float>)results.Tensor("velocity"));
            var known = i + 1 < times.Length ? Noised(image, noise, levels[i + 1]) : image;
            x = Tensor.Zeros<float>(moved.Shape);
            for (var j = 0; j < x.Length; j++) x.Span[j] = (1 - mask.Span[j]) * known.Span[j] + mask.Span[j] * moved.Span[j];
            states.Add(x);
        }

        return new CallResults().Add("timesteps", Tensor.Create(times, times.Length)).Add("sigmas", Tensor.Create(levels, levels.Length)).Add("trajectory", Batch.Stack(states)).Add("inpainted", x);
    }

    /// <summary>A clean sample with a share of noise.</summary>
    internal static Tensor<float> Noised(Tensor<float> clean, Tensor<float> noise, float sigma)
    {
        var result = Tensor.Zeros<float>(clean.Shape);
        for (var i = 0; i < result.Length; i++) result.Span[i] = sigma * noise.Span[i] + (1 - sigma) * clean.Span[i];
        return result;
    }
}
