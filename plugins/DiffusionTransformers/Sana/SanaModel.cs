using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Sana;

/// <summary>SANA: words to pictures of high resolution by a linear diffusion transformer.</summary>
public static class SanaModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/sana",
            Paper = "SANA: Efficient High-Resolution Image Synthesis with Linear Diffusion Transformers",
            ArXiv = "2410.10629",
            Authors = ["Enze Xie", "Junsong Chen", "Junyu Chen", "Han Cai", "Haotian Tang", "Yujun Lin", "Zhekai Zhang", "Muyang Li", "Ligeng Zhu", "Yao Lu", "Song Han"],
            Repository = "NVlabs/Sana",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "NSCL v2-custom",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: SanaTransformer2DModel"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<SanaConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(Weights.Open(source), checkpoint =>
        {
            var network = new TextNetwork(NetworkContext.Of(source, checkpoint), "sana", "velocity", SanaNetwork.Conditions(config), (scope, inputs) => SanaNetwork.Build(scope, inputs, config));
            return new([checkpoint], [network], (call, arguments, token) => call == "forward" ? network.ForwardAsync(arguments, token) : throw Calls.Unknown(call, "forward"));
        });
    }
}
