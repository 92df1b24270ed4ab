using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.LightningDiT;

/// <summary>LightningDiT, the flow on the latents of VA-VAE.</summary>
public static class LightningDiTModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/va-vae-lightningdit",
            Paper = "Reconstruction vs. Generation: Taming Optimization Dilemma in Latent Diffusion Models",
            ArXiv = "2501.01423",
            Authors = ["Jingfeng Yao", "Bin Yang", "Xinggang Wang"],
            Repository = "hustvl/LightningDiT",
            CodeLicense = "MIT",
            WeightsLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: lightningdit-*.pt + latents_stats.pt + config.json (constructor arguments)", "authors: VA-VAE *.pt or *.ckpt + config.yaml"],
            Sizes = [new("hustvl/lightningdit-xl-imagenet256-800ep", 675_293_600, []), new("hustvl/lightningdit-xl-imagenet256-64ep", 675_297_632, [])],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        if (!File.Exists(Path.Combine(folder, "config.json"))) return Weights.Guarded(source.OpenCheckpoint("state_dict", "model"), checkpoint => VaVae.Open(source, checkpoint));
        var config = PublishedConfig.Read<LightningDiTConfig>(folder).Value;
        var statistics = File.Exists(Path.Combine(folder, StatisticsFile)) ? LatentStatistics.Read(Path.Combine(folder, StatisticsFile)) : null;
        return Weights.Guarded(Weights.Without(source, StatisticsFile).OpenCheckpoint("ema", "model"), checkpoint =>
        {
            var network = ClassNetwork.Build(NetworkContext.Of(source, checkpoint), "lightningdit", "velocity", config.Sample, (scope, x, t, y) => LightningDiTNetwork.Build(scope, x, t, y, config));
            checkpoint.ThrowIfUnused();
            var calls = new TransportCalls(network);
            var generator = new ClassGenerator<ClassOptions>(network.SampleShape, (_, _) => network.PredictAsync, ClassProcess.FlowToData(3, guidance: 6.7), ClassNames.Read(folder, config.NumClasses), VaVae.Decoder(source, statistics, config.InChannels));
            return new([checkpoint], [network], CallAsync, generator);

            async Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken token)
            {
                var multiplier = arguments.Literal("latent_multiplier", 1f);
                var results = await calls.CallAsync(call, arguments, token).ConfigureAwait(false);
                return call == "sample_ode" && statistics is not null ? results.Add("denormalized", statistics.Denormalize((Tensor<float>)results.Tensor("ode_sample"), multiplier)) : results;
            }
        });
    }

    private const string StatisticsFile = "latents_stats.pt";
}

/// <summary>Mean and standard deviation of each channel of the training latents.</summary>
internal sealed class LatentStatistics(float[] mean, float[] deviation)
{
    /// <summary>Reads <c>latents_stats.pt</c>: mean and std (1, C, 1, 1).</summary>
    public static LatentStatistics Read(string path)
    {
        using var file = Checkpoint.Open(path);
        float[] Numbers(string name) => WeightConversion.ToFloat32(file.Get(name)).Span<float>().ToArray();
        return new(Numbers("mean"), Numbers("std"));
    }

    /// <summary>sample std / multiplier + mean, before the VAE decodes it. sample (B, C, H, W).</summary>
    public Tensor<float> Denormalize(Tensor<float> sample, float multiplier)
    {
        var result = Tensor.Zeros<float>(sample.Shape);
        var inner = (int)(sample.Shape[2] * sample.Shape[3]);
        for (var i = 0; i < sample.Length; i++)
        {
            var channel = i / inner % mean.Length;
            result.Span[i] = sample.Span[i] * deviation[channel] / multiplier + mean[channel];
        }

        return result;
    }
}
