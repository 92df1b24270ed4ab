using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>The calls of DiT's code, which its descendants share: forward, forward_with_cfg, p_sample_loop, ddim_sample_loop.</summary>
/// <param name="network">The denoiser.</param>
/// <param name="learnSigma">True when it predicts the variance, too.</param>
/// <param name="guidedChannels">Channels that guidance changes.</param>
internal sealed class DiffusionCalls(ClassNetwork network, bool learnSigma, int guidedChannels = 3)
{
    /// <summary>Runs a call.</summary>
    /// <exception cref="ModelZooException">The call is not known.</exception>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => network.ForwardAsync(arguments.Tensor("x"), arguments.Tensor("t"), arguments.Tensor("y"), cancel),
        "forward_with_cfg" => ForwardWithCfgAsync(arguments, cancel),
        "p_sample_loop" => SampleAsync(arguments, implicitSteps: false, cancel),
        "ddim_sample_loop" => SampleAsync(arguments, implicitSteps: true, cancel),
        _ => throw Calls.Unknown(call, "forward, forward_with_cfg, p_sample_loop, ddim_sample_loop"),
    };

    private async Task<CallResults> ForwardWithCfgAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (x, t, y, scale) = (arguments.Tensor<float>("x"), arguments.Tensor("t"), arguments.Tensor<long>("y"), arguments.Literal<double>("cfg_scale"));
        var results = await network.ForwardAsync(Batch.Doubled(Batch.FirstHalf(x)), t, y, cancel).ConfigureAwait(false);
        var output = (Tensor<float>)results.Values[^1].Value;
        return new CallResults().Add("guided", Guidance.Apply(output, scale, guidedChannels));
    }

    private async Task<CallResults> SampleAsync(CallArguments arguments, bool implicitSteps, CancellationToken cancel)
    {
        var x = arguments.Tensor<float>("noise");
        var y = arguments.Tensor<long>("y");
        var noise = arguments.FindTensor<float>("step_noise");
        var scale = arguments.Has("cfg_scale") ? arguments.Literal<double>("cfg_scale") : (double?)null;
        var clip = arguments.Literal("clip_denoised", true);
        var eta = implicitSteps ? arguments.Literal("eta", 0f) : 0;
        var diffusion = SpacedDiffusion.Create(arguments.Literal("timestep_respacing", ""), arguments.Literal("learn_sigma", learnSigma));
        var (states, clean) = (new List<Tensor<float>>(), new List<Tensor<float>>());
        for (var step = diffusion.Timesteps.Count - 1; step >= 0; step--)
        {
            var t = diffusion.Timesteps[step];
            var output = scale is null
                ? await network.PredictAsync(x, t, y, cancel).ConfigureAwait(false)
                : Guidance.Apply(await network.PredictAsync(Batch.Doubled(Batch.FirstHalf(x)), t, y, cancel).ConfigureAwait(false), scale.Value, guidedChannels);
            var draw = noise?.Slice(diffusion.Timesteps.Count - 1 - step);
            var (sample, predicted) = implicitSteps
                ? diffusion.DdimSample(step, output, x, draw, clip, eta)
                : diffusion.PSample(step, output, x, draw ?? throw Calls.Lacks("step_noise"), clip);
            states.Add(x = sample);
            clean.Add(predicted);
        }

        var prefix = implicitSteps ? "ddim_" : "";
        return new CallResults()
            .Add($"{prefix}timesteps", Tensor.Create<long>([.. diffusion.Timesteps], diffusion.Timesteps.Count))
            .Add($"{prefix}pred_xstart", Batch.Stack(clean)).Add($"{prefix}trajectory", Batch.Stack(states))
            .Add($"{prefix}sample", scale is null ? x : Batch.FirstHalf(x));
    }
}
