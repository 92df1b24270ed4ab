using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The calls of the authors' <c>RavenForCausalLM</c>. Where states begin is given: their draws cannot be repeated.</summary>
internal sealed class HuginnReference(HuginnNetworks networks, HuginnConfig config)
{
    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => ForwardAsync(arguments, cancel),
        "generate_with_adaptive_compute" => GenerateAsync(arguments, cancel),
        "embed_inputs" => EmbedAsync(arguments, cancel),
        "iterate_one_step" => IterateAsync(arguments, cancel),
        "predict_from_latents" => PredictAsync(arguments, cancel),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"Huginn has no call '{call}'.") { Expected = "forward, generate_with_adaptive_compute, embed_inputs, iterate_one_step, predict_from_latents" },
    };

    private async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        arguments.Has("use_cache");       // changes no result
        var ids = arguments.Tensor<long>("input_ids");
        var (embedded, read) = await networks.ForwardAsync(ids, Positions(arguments, ids), arguments.Tensor<float>("input_states"), arguments.Literal("num_steps", config.MeanRecurrence), cancel).ConfigureAwait(false);
        return read.ToResults().Add("embedded_inputs", embedded);
    }

    // The most probable id each time, and the recurrences before it.
    private async Task<CallResults> GenerateAsync(CallArguments arguments, CancellationToken cancel)
    {
        var ids = arguments.Tensor<long>("input_ids");
        if (ids.Shape[0] != 1) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Sequences are gone on with one at a time.") { Where = "input_ids", Expected = "[1, N]", Found = ids.ToString() };
        var options = new HuginnGenerateOptions
        {
            Steps = arguments.Literal("num_steps", config.MeanRecurrence), StateScale = arguments.Literal("init_scale", 1.0), MinSteps = arguments.Literal("min_steps", 0),
            Criterion = Enum.Parse<HuginnCriterion>(arguments.Literal("criterion", "none").Replace("-", "", StringComparison.Ordinal), ignoreCase: true), ExitThreshold = arguments.Literal<double?>("exit_threshold", null),
        };
        if (options.StateScale != 0) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Draws of the reference's own generator cannot be repeated.") { Where = "init_scale", Expected = "0" };
        using var stream = new HuginnStream(networks, config, options, seed: 0);
        var prompt = Tensor.Create(Array.ConvertAll(ids.Span.ToArray(), id => checked((int)id)), ids.Shape);
        var added = (await new AutoregressiveDecoder(arguments.Literal<int>("max_new_tokens")) { EndTokens = config.EndTokens }.GenerateAsync(stream, prompt, seed: 0, cancel: cancel).ConfigureAwait(false))[0];
        return new CallResults().Add("sequences", Tensor.Create([.. ids.Span, .. added.Select(id => (long)id)], 1, ids.Length + added.Length)).Add("compute_steps", Tensor.Create([.. stream.Steps.Select(step => (long)step)], stream.Steps.Count));
    }

    private async Task<CallResults> EmbedAsync(CallArguments arguments, CancellationToken cancel)
    {
        var ids = arguments.Tensor<long>("input_ids");
        return (await networks[HuginnPart.Prelude, false].RunAsync(cancel, ("ids", ids), ("positions", Positions(arguments, ids))).ConfigureAwait(false)).ToResults();
    }

    private async Task<CallResults> IterateAsync(CallArguments arguments, CancellationToken cancel)
    {
        arguments.Has("current_step");    // only of the noise that is off
        var embedded = arguments.Tensor<float>("input_embeds");
        return new CallResults().Add("input_states", await networks.NextAsync(arguments.Tensor<float>("input_states"), embedded, Positions(arguments, embedded), cancel).ConfigureAwait(false));
    }

    private async Task<CallResults> PredictAsync(CallArguments arguments, CancellationToken cancel)
    {
        var state = arguments.Tensor<float>("latents");
        return (await networks.ReadAsync(state, Positions(arguments, state), cancel).ConfigureAwait(false)).ToResults();
    }

    // Those that are given, of all sequences; or 0, 1, 2..
    private static Tensor<long> Positions(CallArguments arguments, Tensor sequences)
    {
        var (rows, count) = ((int)sequences.Shape[0], (int)sequences.Shape[1]);
        var (given, all) = (arguments.FindTensor<long>("position_ids"), Tensor.Zeros<long>(rows, count));
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < count; i++) all[row, i] = given?.Span[i % given.Length] ?? i;
        }

        return all;
    }
}
