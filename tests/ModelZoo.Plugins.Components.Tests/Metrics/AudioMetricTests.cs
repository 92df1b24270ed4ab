using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Tests.Metrics;

public sealed class AudioMetricTests
{
    private static readonly Tensor<float> Input = Tensor.Create([.. Enumerable.Range(0, 3000).Select(i => (float)Math.Sin(0.05 * i + 1e-5 * i * i))], 1, 1, 3000);
    private static readonly Tensor<float> Target = Tensor.Create([.. Enumerable.Range(0, 3000).Select(i => (float)(0.8 * Math.Sin(0.05 * i) + 0.01 * (i % 7)))], 1, 1, 3000);

    // The library has limits of frequency for two scales unless more are given.
    [Fact]
    public async Task MelDistance_MoreScalesThanLimits_LeavesTheLastOut()
    {
        var two = await MelAsync(("n_mels", "[5, 10]"), ("window_lengths", "[64, 128]"));
        Assert.Equal(two, await MelAsync(("n_mels", "[5, 10, 20]"), ("window_lengths", "[64, 128, 256]")));
        Assert.NotEqual(two, await MelAsync(("n_mels", "[5, 10, 20]"), ("window_lengths", "[64, 128, 256]"), ("mel_fmin", "[0, 0, 0]"), ("mel_fmax", "[null, null, null]")));
    }

    [Fact]
    public async Task MultiResolution_Angles_AreRefused()
    {
        var error = await Assert.ThrowsAsync<ModelZooException>(() => CallAsync("stft-loss", "multi_resolution_stft", ("input", Input), ("target", Target), ("w_phs", JsonElement.Parse("0.5"))));
        Assert.Equal((ErrorCodes.VerbUnsupported, "w_phs"), (error.Code, error.Where));
    }

    // The filter itself is compared with SciPy's beside AWeighting; here it is used, and only when it is asked for.
    [Fact]
    public async Task MultiResolution_PerceptualWeighting_IsHeard()
    {
        var plain = await LossAsync("false");
        Assert.NotEqual(plain, await LossAsync("true"), 1e-2);
        Assert.Equal(plain, (await CallAsync("stft-loss", "multi_resolution_stft", ("input", Input), ("target", Target))).Tensor("multi_resolution").As<double>().Span[0], 1e-12);

        async Task<double> LossAsync(string weighted) => (await CallAsync("stft-loss", "multi_resolution_stft", ("input", Input), ("target", Target), ("w_phs", JsonElement.Parse("0")),
            ("sample_rate", JsonElement.Parse("16000")), ("perceptual_weighting", JsonElement.Parse(weighted)))).Tensor("multi_resolution").As<double>().Span[0];
    }

    private static async Task<double> MelAsync(params (string Name, string Value)[] options) => (await CallAsync("mel-distance", "mel_distance",
        [("x", Input), ("y", Target), ("sample_rate", JsonElement.Parse("16000")), .. options.Select(o => (o.Name, (object)JsonElement.Parse(o.Value)))])).Tensor("mel_distance").As<double>().Span[0];

    private static async Task<CallResults> CallAsync(string metric, string call, params (string Name, object Value)[] given)
    {
        await using var model = await new ComponentsPlugin().Architectures.Single(architecture => architecture.Card.Id == $"metrics/{metric}")
            .Open(new ModelSource { Id = new("metrics", metric), Services = HostServices.Instance }, default);
        var arguments = given.Aggregate(new CallArguments(), (all, one) => one.Value is Tensor tensor ? all.With(one.Name, tensor) : all.With(one.Name, (JsonElement)one.Value));
        return await model.Find<IReferenceCalls>()!.CallAsync(call, arguments);
    }
}
