using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Flux;

/// <summary>FLUX.1.</summary>
public static class FluxModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/flux",
            Paper = "FLUX.1",
            Authors = ["Black Forest Labs"],
            Repository = "black-forest-labs/flux",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "Apache-2.0 (schnell), FLUX.1-dev Non-Commercial (dev)",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: FluxTransformer2DModel, alone or in a pipeline's folder"],
            Sizes = [new("black-forest-labs/FLUX.1-dev: transformer", 11_901_408_320, []), new("black-forest-labs/FLUX.1-schnell: transformer", 11_891_178_560, [])],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource folder, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(folder);
        var source = pipeline.Denoiser("transformer");
        var config = PublishedConfig.Read<FluxConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var flux = new FluxTransformer(NetworkContext.Of(source, checkpoint), config);
            checkpoint.ThrowIfUnused();
            return PublishedModel.Generating([checkpoint], [flux], (call, arguments, token) => call == "forward" ? flux.ForwardAsync(arguments, token) : throw Calls.Unknown(call, "forward"),
                FluxPipeline.Of<FluxOptions>(pipeline, config, _ => FluxRun.Of(flux))?.Open(pipeline));
        });
    }
}
