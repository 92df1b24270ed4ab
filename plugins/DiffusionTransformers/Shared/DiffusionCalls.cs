using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

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
        var (diffusion, learned, channels) = (new SpacedDiffusion(arguments.Literal("timestep_respacing", "")), arguments.Literal("learn_sigma", learnSigma), (int)x.Shape[1]);
        var (states, clean) = (new List<Tensor<float>>(), new List<Tensor<float>>());
        for (var step = diffusion.Count - 1; step >= 0; step--)
        {
            var t = diffusion.Timesteps[step];
            var output = scale is null
                ? await network.PredictAsync(x, t, y, cancel).ConfigureAwait(false)
                : Guidance.Apply(await network.PredictAsync(Batch.Doubled(Batch.FirstHalf(x)), t, y, cancel).ConfigureAwait(false), scale.Value, guidedChannels);
            var draw = !implicitSteps || eta > 0 ? (noise ?? throw Calls.Lacks("step_noise")).Slice(diffusion.Count - 1 - step).Span : default;
            var epsilon = Batch.Channels(output, 0, channels).Span;
            states.Add(x = Batch.Copy(x));
            clean.Add(Tensor.Zeros<float>(x.Shape));
            if (implicitSteps) diffusion.ImplicitStep(step, epsilon, x.Span, draw, eta, clip, clean[^1].Span);
            else diffusion.Step(step, epsilon, learned ? Batch.Channels(output, channels, channels).Span : [], x.Span, draw, clip: clip, clean: clean[^1].Span);
        }

        var prefix = implicitSteps ? "ddim_" : "";
        return new CallResults()
            .Add($"{prefix}timesteps", Tensor.Create<long>([.. diffusion.Timesteps.Select(t => (long)t)], diffusion.Count))
            .Add($"{prefix}pred_xstart", Batch.Stack(clean)).Add($"{prefix}trajectory", Batch.Stack(states))
            .Add($"{prefix}sample", scale is null ? x : Batch.FirstHalf(x));
    }
}
