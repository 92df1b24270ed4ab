using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.DiT;

/// <summary>DiT: published files in, pictures out.</summary>
public static class DiTModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/dit",
            Paper = "Scalable Diffusion Models with Transformers",
            ArXiv = "2212.09748",
            Authors = ["William Peebles", "Saining Xie"],
            Repository = "facebookresearch/DiT",
            CodeLicense = "CC-BY-NC-4.0",
            WeightsLicense = "CC-BY-NC-4.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: DiT-XL-2-*.pt + config.json (constructor arguments), vae/ for pictures", "diffusers: DiTPipeline folder, or its transformer alone"],
            Sizes = [new("facebookresearch/DiT: DiT-XL-2-256x256", 675_129_632, []), new("facebookresearch/DiT: DiT-XL-2-512x512", 676_014_368, [])],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(source);
        var transformer = pipeline.Denoiser("transformer");
        if (PublishedConfig.ReadJson(transformer.RequireFolder()).ContainsKey("_class_name")) return Weights.Guarded(transformer.OpenCheckpoint(), checkpoint => Diffusers(pipeline, transformer, checkpoint));
        var config = PublishedConfig.Read<DiTConfig>(source.RequireFolder()).Value;
        return new ClassArchitecture("dit", "noise_and_variance", config.Sample, config.NumClasses, ClassProcess.Diffusion(config.LearnSigma, 3), (scope, x, t, y) => DiTNetwork.Build(scope, x, t, y, config))
            .OpenAsync(source, network => new DiffusionCalls(network, config.LearnSigma).CallAsync);
    }

    private static PublishedModel Diffusers(PipelineFolder pipeline, ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<DiffusersDiTConfig>(source.RequireFolder()).Value;
        var network = ClassNetwork.Build(NetworkContext.Of(source, checkpoint), "dit", "noise_and_variance", config.Sample, (scope, x, t, y) => DiffusersDiTNetwork.Build(scope, x, t, y, config));
        checkpoint.ThrowIfUnused();
        var decoder = VaeDecoder.For(pipeline, config.InChannels);
        var process = ClassProcess.Diffusion(config.Outputs > config.InChannels, config.InChannels);
        var generator = new ClassGenerator<ClassOptions>(network.SampleShape, (_, _) => network.PredictAsync, process, ClassNames.Read(pipeline.Root, config.NumEmbedsAdaNorm), decoder);
        return new([checkpoint], [network, decoder], new DiffusersPipeline(network, config, source.RequireFolder()).CallAsync, generator);
    }
}
