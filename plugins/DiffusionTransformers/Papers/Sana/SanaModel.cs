using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

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
            Layouts = ["diffusers: SanaTransformer2DModel, alone or in a pipeline's folder"],
            Sizes =
            [
                new("Efficient-Large-Model/Sana_600M_1024px_diffusers: transformer", 591_747_872, []),
                new("Efficient-Large-Model/Sana_1600M_1024px_diffusers: transformer", 1_604_462_752, []),
            ],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource folder, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(folder);
        var source = pipeline.Denoiser("transformer");
        var config = PublishedConfig.Read<SanaConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var network = new TextNetwork(NetworkContext.Of(source, checkpoint), "sana", "velocity", SanaNetwork.Conditions(config), (scope, inputs) => SanaNetwork.Build(scope, inputs, config));
            var generator = new MaskedText(config.InChannels, config.SampleSize, config.PatchSize, IsFlow: true) { TimeScale = (float)config.TimestepScale, Instruction = Instruction }.Of(pipeline, network.PredictAsync)?.Open(pipeline);
            return PublishedModel.Generating([checkpoint], [network], (call, arguments, token) => call == "forward" ? network.ForwardAsync(arguments, token) : throw Calls.Unknown(call, "forward"), generator);
        });
    }

    // complex_human_instruction of the published pipeline.
    private const string Instruction = """
        Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for image generation. Evaluate the level of detail in the user prompt:
        - If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial relationships to create vivid and concrete scenes.
        - If the prompt is already detailed, refine and enhance the existing details slightly without overcomplicating.
        Here are examples of how to transform or refine prompts:
        - User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.
        - User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering glass skyscrapers.
        Please generate only the enhanced description for the prompt below and avoid including any additional commentary or evaluations:
        User Prompt: 
        """;
}
