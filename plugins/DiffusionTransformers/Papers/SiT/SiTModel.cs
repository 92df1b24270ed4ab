// SiT: Exploring Flow and Diffusion-based Generative Models with Scalable Interpolant Transformers. Ma, Goldstein, Albergo, Boffi, Vanden-Eijnden, Xie. arXiv:2401.08740. github.com/willisma/SiT
// Published layouts: SiT-XL-2-256x256.pt (state dict, or train.py's {model, ema, ...}). Deviations: none. The network is DiT's; where the variance would be predicted, that half is dropped.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.SiT;

/// <summary>SiT: a flow from noise at t = 0 to data at t = 1.</summary>
public static class SiTModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/sit",
            Paper = "SiT: Exploring Flow and Diffusion-based Generative Models with Scalable Interpolant Transformers",
            ArXiv = "2401.08740",
            Authors = ["Nanye Ma", "Mark Goldstein", "Michael S. Albergo", "Nicholas M. Boffi", "Eric Vanden-Eijnden", "Saining Xie"],
            Repository = "willisma/SiT",
            CodeLicense = "MIT",
            WeightsLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: SiT-XL-2-256x256.pt + config.json (constructor arguments)"],
            Sizes =
            [
                new("willisma/SiT: SiT-S-2", 32_963_360, []),
                new("willisma/SiT: SiT-B-2", 130_512_416, []),
                new("willisma/SiT: SiT-L-2", 458_102_816, []),
                new("willisma/SiT: SiT-XL-2-256x256", 675_129_632, []),
            ],
        },
        OpenAsync);

    internal static Value Build(Scope sit, Value x, Value t, Value y, DiTConfig config) => DiTNetwork.Build(sit, x, t, y, config).Take(1, config.InChannels);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<DiTConfig>(source.RequireFolder()).Value;
        return new ClassArchitecture("sit", "velocity", config.Sample, config.NumClasses, ClassProcess.FlowToData(3, guidance: 4), (scope, x, t, y) => Build(scope, x, t, y, config))
            .OpenAsync(source, network => new TransportCalls(network).CallAsync);
    }
}
