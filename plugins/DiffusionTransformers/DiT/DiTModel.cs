using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

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
            Layouts = ["authors: DiT-XL-2-*.pt + config.json (constructor arguments)", "diffusers: DiTTransformer2DModel"],
            Sizes = [new("DiT-XL-2-256x256", 675_129_632, [])],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var json = PublishedConfig.ReadJson(source.RequireFolder());
        return Weights.Guarded(Weights.Open(source, "ema", "model"), checkpoint => json.ContainsKey("_class_name") ? Diffusers(source, checkpoint) : Authors(source, checkpoint));
    }

    private static PublishedModel Authors(ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<DiTConfig>(source.RequireFolder()).Value;
        var network = ClassNetwork.Build(NetworkContext.Of(source, checkpoint), "dit", "noise_and_variance", config.Sample, (scope, x, t, y) => DiTNetwork.Build(scope, x, t, y, config));
        checkpoint.ThrowIfUnused();
        return new([checkpoint], [network], new DiffusionCalls(network, config.LearnSigma).CallAsync);
    }

    private static PublishedModel Diffusers(ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<DiffusersDiTConfig>(source.RequireFolder()).Value;
        var network = ClassNetwork.Build(NetworkContext.Of(source, checkpoint), "dit", "noise_and_variance", config.Sample, (scope, x, t, y) => DiffusersDiTNetwork.Build(scope, x, t, y, config));
        checkpoint.ThrowIfUnused();
        return new([checkpoint], [network], new DiffusersPipeline(network, config, source.RequireFolder()).CallAsync);
    }
}
