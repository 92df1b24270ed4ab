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
        var t = ClassNetwork.Times(arguments.Tensor("t"));
        var results = await network.ForwardAsync(Batch.Doubled(Batch.FirstHalf(arguments.Tensor<float>("x"))), t, arguments.Tensor("y"), cancel).ConfigureAwait(false);
        return new CallResults().Add("guided", Guide((Tensor<float>)results.Values[^1].Value, t.Span[0], arguments));
    }

    private async Task<CallResults> SampleOdeAsync(CallArguments arguments, CancellationToken cancel)
    {
        var transport = Transport(arguments);
        var z = arguments.Tensor<float>("z");
        var times = transport.Times(arguments.Literal("num_steps", 50), arguments.Literal("timestep_shift", 0f), arguments.Literal("reverse", false));
        var tolerance = new OdeTolerance(arguments.Literal("rtol", 1e-3), arguments.Literal("atol", 1e-6));
        var states = new List<Tensor<float>>();
        await foreach (var state in transport.SampleOdeAsync(arguments.Literal("sampling_method", DormandPrince.Name), z, times, Guided(arguments, cancel), tolerance).ConfigureAwait(false)) states.Add(state);
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
            LastStep = arguments.Names.Contains("last_step") ? arguments.Literal<string?>("last_step", null) : "Mean",
            LastStepSize = arguments.Literal("last_step_size", 0.04f),
            NumSteps = arguments.Literal("num_steps", 250),
        };
        var states = new List<Tensor<float>>();
        await foreach (var state in transport.SampleSdeAsync(options, z, Guided(arguments, cancel), noise.Slice, cancel).ConfigureAwait(false)) states.Add(state);
        return new CallResults().Add("sde_trajectory", Batch.Stack(states)).Add("sde_sample", Conditional(states[^1], arguments));
    }

    private static Transport Transport(CallArguments arguments)
    {
        var transport = Shared.Transport.Parse(arguments.Literal("path_type", "Linear"), arguments.Literal("prediction", "velocity"));
        return transport with { SampleEps = arguments.Literal("sample_eps", transport.SampleEps) };
    }

    // forward_with_cfg: both halves see the first half's sample.
    private VectorField Guided(CallArguments arguments, CancellationToken cancel)
    {
        var y = arguments.Tensor<long>("y");
        if (!arguments.Has("cfg_scale")) return (x, t) => network.PredictAsync(x, t, y, cancel);
        return async (x, t) => Guide(await network.PredictAsync(Batch.Doubled(Batch.FirstHalf(x)), t, y, cancel).ConfigureAwait(false), t, arguments);
    }

    // Guidance, from a time on where LightningDiT's interval is asked for.
    private Tensor<float> Guide(Tensor<float> output, float t, CallArguments arguments)
    {
        var (scale, from) = (arguments.Literal<double>("cfg_scale"), arguments.Literal("cfg_interval_start", 0f));
        return arguments.Literal("cfg_interval", false) && t < from ? Guidance.Skip(output, guidedChannels) : Guidance.Apply(output, scale, guidedChannels);
    }

    private static Tensor<float> Conditional(Tensor<float> sample, CallArguments arguments) => arguments.Has("cfg_scale") ? Batch.FirstHalf(sample) : sample;
}
