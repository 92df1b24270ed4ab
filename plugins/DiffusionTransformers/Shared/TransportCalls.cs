using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>The calls of SiT's code, which its descendants share: forward, forward_with_cfg, sample_ode, sample_sde.</summary>
/// <param name="network">The denoiser.</param>
/// <param name="guidedChannels">Channels that guidance changes.</param>
internal sealed class TransportCalls(ClassNetwork network, int guidedChannels = 3)
{
    /// <summary>Runs a call.</summary>
    /// <exception cref="ModelZooException">The call is not known.</exception>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => network.ForwardAsync(arguments.Tensor("x"), arguments.Tensor("t"), arguments.Tensor("y"), cancel),
        "forward_with_cfg" => ForwardWithCfgAsync(arguments, cancel),
        "sample_ode" => SampleOdeAsync(arguments, cancel),
        "sample_sde" => SampleSdeAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "forward, forward_with_cfg, sample_ode, sample_sde"),
    };

    private async Task<CallResults> ForwardWithCfgAsync(CallArguments arguments, CancellationToken cancel)
    {
        var model = Guided(arguments, cancel);
        var t = ClassNetwork.Times(arguments.Tensor("t"));
        return new CallResults().Add("guided", await model(arguments.Tensor<float>("x"), t.Span[0]).ConfigureAwait(false));
    }

    private async Task<CallResults> SampleOdeAsync(CallArguments arguments, CancellationToken cancel)
    {
        var transport = Transport(arguments);
        var z = arguments.Tensor<float>("z");
        var times = transport.Times(arguments.Literal("num_steps", 50), arguments.Literal("timestep_shift", 0f));
        var states = new List<Tensor<float>>();
        await foreach (var state in transport.SampleOdeAsync(arguments.Literal("sampling_method", "euler"), z, times, Guided(arguments, cancel)).ConfigureAwait(false)) states.Add(state);
        return new CallResults().Add("ode_times", Tensor.Create(times, times.Length)).Add("ode_trajectory", Batch.Stack(states)).Add("ode_sample", Conditional(states[^1], arguments));
    }

    private async Task<CallResults> SampleSdeAsync(CallArguments arguments, CancellationToken cancel)
    {
        var transport = Transport(arguments);
        var (z, noise) = (arguments.Tensor<float>("z"), arguments.Tensor<float>("step_noise"));
        var options = new SdeOptions
        {
            SamplingMethod = arguments.Literal("sampling_method", "Euler"),
            DiffusionForm = arguments.Literal("diffusion_form", "SBDM"),
            DiffusionNorm = arguments.Literal("diffusion_norm", 1f),
            LastStep = arguments.Has("last_step") ? arguments.Literal<string>("last_step") : null,
            LastStepSize = arguments.Literal("last_step_size", 0.04f),
            NumSteps = arguments.Literal("num_steps", 250),
        };
        var states = new List<Tensor<float>>();
        await foreach (var state in transport.SampleSdeAsync(options, z, Guided(arguments, cancel), noise.Slice, cancel).ConfigureAwait(false)) states.Add(state);
        return new CallResults().Add("sde_trajectory", Batch.Stack(states)).Add("sde_sample", Conditional(states[^1], arguments));
    }

    private static Transport Transport(CallArguments arguments) => Shared.Transport.Parse(arguments.Literal("path_type", "Linear"), arguments.Literal("prediction", "velocity"));

    // forward_with_cfg: both halves see the first half's sample.
    private VectorField Guided(CallArguments arguments, CancellationToken cancel)
    {
        var y = arguments.Tensor<long>("y");
        if (!arguments.Has("cfg_scale")) return (x, t) => network.PredictAsync(x, t, y, cancel);
        var scale = arguments.Literal<double>("cfg_scale");
        var from = arguments.Literal("cfg_interval", false) ? arguments.Literal("cfg_interval_start", 0f) : float.NegativeInfinity;
        if (!arguments.Literal("cfg_interval", false)) _ = arguments.Has("cfg_interval_start");
        return async (x, t) =>
        {
            var output = await network.PredictAsync(Batch.Doubled(Batch.FirstHalf(x)), t, y, cancel).ConfigureAwait(false);
            return t < from ? Guidance.Skip(output, guidedChannels) : Guidance.Apply(output, scale, guidedChannels);
        };
    }

    private static Tensor<float> Conditional(Tensor<float> sample, CallArguments arguments) => arguments.Has("cfg_scale") ? Batch.FirstHalf(sample) : sample;
}
