using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Schedulers;

/// <summary>The schedulers of diffusion and flow models, run with a fixed model.</summary>
internal static class SchedulerParts
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        new(ComputedPart.Card("components/schedulers", "Schedulers of diffusion and flow models", "huggingface/diffusers", Modality.Tensors) with
        {
            Layouts = ["diffusers: scheduler_config.json"],
        }, SchedulerModel.OpenAsync),
    ];
}
