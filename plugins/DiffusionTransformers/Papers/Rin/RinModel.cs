using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Rin;

/// <summary>Recurrent interface networks.</summary>
public static class RinModel
{
    // The published runs sample with the averaged weights.
    private const string Averaged = "model/denoiser_ema/", Raw = "model/denoiser/", WeightsFile = "model.safetensors";

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/rin",
            Paper = "Scalable Adaptive Computation for Iterative Generation",
            ArXiv = "2212.11972",
            Authors = ["Allan Jabri", "David J. Fleet", "Ting Chen"],
            Repository = "google-research/pix2seq",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["pix2seq's checkpoint keys as model.safetensors + config.json (arguments of ImageTapeDenoiser)"],
            Sizes = [new("google-research/pix2seq: imagenet 64", 157_780_160, [])],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = PublishedConfig.Read<RinConfig>(folder).Value;
        return Weights.Guarded(Checkpoint.Open(Path.Combine(folder, WeightsFile)), checkpoint =>
        {
            var prefix = checkpoint.Tensors.Any(tensor => tensor.Name.StartsWith(Averaged, StringComparison.Ordinal)) ? Averaged : Raw;
            var classes = checkpoint.Tensors.FirstOrDefault(tensor => tensor.Name == prefix + "cond_proj/kernel")?.Shape[0] ?? 0;
            var network = Network.Build(NetworkContext.Of(source, new TensorFlowTensors(checkpoint, prefix)), "rin", scope => RinNetwork.Declare(scope, config, classes));
            var sampler = new RinSampler(network, config);
            return new([checkpoint], [network], (call, arguments, token) => call switch
            {
                "forward" => ForwardAsync(network, config, arguments, token),
                "gamma_schedule" => Task.FromResult(Schedule(arguments)),
                "sample" => SampleAsync(sampler, arguments, token),
                _ => throw Calls.Unknown(call, "forward, gamma_schedule, sample"),
            }, new RinGenerator(sampler, config, (int)classes, ClassNames.Read(folder, (int)classes)));
        });
    }

    private static async Task<CallResults> ForwardAsync(Network network, RinConfig config, CallArguments arguments, CancellationToken cancel)
    {
        string[] names = ["x", .. config.CarriesLatents ? (string[])["latent_prev"] : [], .. config.CarriesTape ? (string[])["tape_prev"] : [], "gamma", .. arguments.Has("cond") ? (string[])["cond"] : []];
        return (await network.RunAsync(cancel, [.. names.Select(name => (name, arguments.Tensor(name)))]).ConfigureAwait(false)).ToResults();
    }

    private static CallResults Schedule(CallArguments arguments)
    {
        var (t, schedule) = (arguments.Tensor<float>("t"), GammaSchedule.Parse(arguments.Literal<string>("schedule")));
        return new CallResults().Add("gamma_schedule", Tensor.Create([.. t.Span.ToArray().Select(schedule.At)], t.Length));
    }

    // The answer is the last prediction of the data.
    private static async Task<CallResults> SampleAsync(RinSampler sampler, CallArguments arguments, CancellationToken cancel)
    {
        var (x, condition, draws) = (arguments.Tensor<float>("noise"), arguments.FindTensor<float>("cond"), arguments.FindTensor<float>("step_noise"));
        var (iterations, guidance, shift) = (arguments.Literal<int>("iterations"), arguments.Literal("guidance", 0f), arguments.Literal("td", 0f));
        var schedule = GammaSchedule.Parse((arguments.Has("infer_schedule") ? arguments.Literal<string?>("infer_schedule") : null) ?? arguments.Literal<string>("train_schedule"));
        var rule = new GammaStep(arguments.Literal("pred_type", "eps"), arguments.Literal("x0_clip", ""), arguments.Literal("method", "ddim"));
        var (clean, states) = (new List<Tensor<float>>(), new List<Tensor<float>>());
        await foreach (var (data, state) in sampler.RunAsync(x, condition, new(iterations, guidance, shift, schedule, rule), draws is null ? null : draws.Slice, cancel).ConfigureAwait(false))
        {
            clean.Add(data);
            states.Add(state);
        }

        // Results are numbered by call in the cases, with the kind of prediction at the end for v.
        var answer = new CallResults();
        foreach (var suffix in (string[])["", "_v"])
            answer.Add($"data_predictions{suffix}", Batch.Stack(clean)).Add($"trajectory{suffix}", Batch.Stack(states)).Add($"sample{suffix}", clean[^1]);
        return answer;
    }
}
