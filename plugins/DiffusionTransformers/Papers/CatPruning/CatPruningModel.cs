// CAT Pruning: Cluster-Aware Token Pruning For Text-to-Image Diffusion Models. Xinle Cheng, Zhuoming Chen, Zhihao Jia. arXiv:2502.00433. github.com/ada-cheng/CAT-Pruning
// Published layout: diffusers SD3Transformer2DModel; the method has no weights. Deviations: calls are given their clusters and selections after the first, as the authors' depend on a library's order of equals; for people clusters are this project's own k-means, and equals go by place.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.CatPruning;

/// <summary>Stable Diffusion 3 that computes fewer tokens in later steps.</summary>
public static class CatPruningModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/cat-pruning",
            Paper = "CAT Pruning: Cluster-Aware Token Pruning For Text-to-Image Diffusion Models",
            ArXiv = "2502.00433",
            Authors = ["Xinle Cheng", "Zhuoming Chen", "Zhihao Jia"],
            Repository = "ada-cheng/CAT-Pruning",
            CodeLicense = "none stated",
            WeightsLicense = "Stability AI Community",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: SD3Transformer2DModel, alone or in a pipeline's folder"],
            Deviations = "Clusters are this project's own k-means, and equals go by place.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource folder, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(folder);
        var source = pipeline.Denoiser("transformer");
        var config = PublishedConfig.Read<SD3Config>(source.RequireFolder()).Value;
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var transformer = new PrunedTransformer(NetworkContext.Of(source, checkpoint), config);
            var calls = new CatPruningCalls(transformer, config);
            return PublishedModel.Generating([checkpoint], [transformer], calls.CallAsync,
                SD3Pipeline.Of<PruningOptions>(pipeline, config, run => new PrunedRun(transformer, config, run).Denoiser)?.Open(pipeline));
        });
    }
}

/// <summary>The calls of the authors' code.</summary>
internal sealed class CatPruningCalls(PrunedTransformer transformer, SD3Config config)
{
    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "sample" => SampleAsync(arguments, cancel),
        "sample_pruned" => SamplePrunedAsync(arguments, cancel),
        "select_first" => Task.FromResult(SelectFirst(arguments)),
        _ => throw Calls.Unknown(call, "sample, sample_pruned, select_first"),
    };

    private async Task<CallResults> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (times, noise, states) = await RunAsync(arguments, _ => [], cancel).ConfigureAwait(false);
        return new CallResults().Add("timesteps", Tensor.Create(times, times.Length)).Add("base_noise_pred", Batch.Stack(noise)).Add("base_sample", states[^1]);
    }

    private async Task<CallResults> SamplePrunedAsync(CallArguments arguments, CancellationToken cancel)
    {
        var marks = arguments.Tensor<long>("selected_tokens");
        // Where pruning begins shows in the selections: steps before have none.
        _ = arguments.Literal("stop_idx", 0);
        var (_, noise, states) = await RunAsync(arguments, step => [.. Enumerable.Range(0, (int)marks.Shape[1]).Where(token => marks[step, token] != 0).Select(token => (long)token)], cancel).ConfigureAwait(false);
        return new CallResults().Add("noise_pred", Batch.Stack(noise)).Add("trajectory", Batch.Stack(states)).Add("sample", states[^1]);
    }

    private CallResults SelectFirst(CallArguments arguments)
    {
        var grid = arguments.Literal<int[]>("grid");
        // Of guidance's two, what is asked for comes second.
        var (first, noise) = (PrunedTokens.Of(arguments.Tensor<float>("first_noise").Slice(1), config.PatchSize), PrunedTokens.Of(arguments.Tensor<float>("noise").Slice(1), config.PatchSize));
        var selection = new ClusterSelection(noise, grid[0], grid[1], [.. arguments.Tensor<long>("cluster_labels").Span]);
        var chosen = selection.First(Batch.AddScaled(noise, -1, first), arguments.Literal<double>("select_factor"));
        return new CallResults().Add("cluster_features", selection.Features).Add("first_selected_tokens", Tensor.Create(chosen, chosen.Length));
    }

    // Euler along the flow, guided; a step without selection computes all tokens.
    private async Task<(float[] Times, List<Tensor<float>> Noise, List<Tensor<float>> States)> RunAsync(CallArguments arguments, Func<int, long[]> select, CancellationToken cancel)
    {
        var (text, pooled) = (arguments.Tensor<float>("prompt_embeds"), arguments.Tensor<float>("pooled_prompt_embeds"));
        var scheduler = new FlowMatchEulerConfig { Shift = arguments.Literal("shift", 3.0) };
        var (cache, noise, times, step) = (new PrunedTransformer.Cache(), new List<Tensor<float>>(), new List<float>(), 0);
        var states = await GuidedLoop.RunAsync(scheduler, arguments.Tensor<float>("latents"), arguments.Literal("num_inference_steps", 28), arguments.Literal("guidance_scale", 7.0), PredictAsync, cancel).ConfigureAwait(false);
        return ([.. times], noise, states);

        async Task<Tensor<float>> PredictAsync(Tensor<float> sample, float time)
        {
            var count = (int)(sample.Shape[2] / config.PatchSize * (sample.Shape[3] / config.PatchSize));
            var selected = select(step++);
            var output = await transformer.PredictAsync(sample, time, text, pooled, selected.Length == 0 ? PrunedTokens.All(count) : selected, cache, cancel).ConfigureAwait(false);
            if (selected.Length > 0 && noise.Count > 0) PrunedTokens.Keep(output, noise[^1], [.. PrunedTokens.All(count).Except(selected)], config.PatchSize);
            times.Add(time);
            noise.Add(output);
            return output;
        }
    }
}
