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
            Sizes = [new("black-forest-labs/FLUX.1-dev: transformer", 11_901_408_320, []), new("black-forest-labs/FLUX.1-schnell: transformer", 11_891_178_560, [])],
