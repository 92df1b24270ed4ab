// Token Merging for Training-Free Semantic Binding in Text-to-Image Synthesis. Taihang Hu, Linxuan Li, Joost van de Weijer, Hongcheng Gao, Fahad Shahbaz Khan, Jian Yang, Ming-Ming Cheng, Kai Wang, Yaxing Wang. arXiv:2411.07132. github.com/hutaihang/ToMe
// Published layout: diffusers UNet2DConditionModel of SDXL, and its scheduler. Deviations: the user says which words belong to which thing, where the authors have a parser say it, too; their loss of positions is left out.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.SemanticBinding;

/// <summary>How a prompt's things are bound to what is said about them; defaults are those of the authors' examples.</summary>
internal sealed record BindingOptions
{
    /// <summary>For each thing the positions of its noun and of its attributes.</summary>
    public required int[][][] Groups { get; init; }
    /// <summary>Words of the prompt; the end of text stands behind them.</summary>
    public required int PromptLength { get; init; }
    /// <summary>First steps in which tokens are refined.</summary>
    public int TokenSteps { get; init; } = 7;
    /// <summary>First steps in which sample and text are refined by where attention goes.</summary>
    public int AttentionSteps { get; init; } = 7;
    /// <summary>The step at which ends of text become those of the merged prompt; negative for never.</summary>
    public int EotReplaceStep { get; init; }
    /// <summary>Refinements of a token in a step; 0 leaves tokens unmerged.</summary>
    public int TokenRefinements { get; init; } = 3;
    /// <summary>Most refinements by attention in a step: above timestep 900, and below.</summary>
    public int[] AttentionRefinements { get; init; } = [6, 6];
    /// <summary>For each step the entropy of two things that is good enough.</summary>
    public double[] Thresholds { get; init; } = [26, 25, 24, 23, 22.5, 22, 21.5, 21, 21, 21];
    /// <summary>Size of the updates.</summary>
    public double ScaleFactor { get; init; } = 3;
    /// <summary>What it is multiplied by in the first step and in the last.</summary>
    public double[] ScaleRange { get; init; } = [1, 0];
    /// <summary>Height and width of the attention's maps.</summary>
    public int AttentionResolution { get; init; } = 32;
    /// <summary>Scale of guidance.</summary>
    public float Guidance { get; init; } = 5;
    /// <summary>By how much guidance is brought back to the spread of what is asked for.</summary>
    public float GuidanceRescale { get; init; }

    /// <summary>The options of a call.</summary>
    public static BindingOptions Of(CallArguments arguments)
    {
        BindingOptions published = new() { Groups = arguments.Literal<int[][][]>("token_indices"), PromptLength = arguments.Literal<int>("prompt_length") };
        var steps = arguments.Literal<int[]>("tome_control_steps", [published.TokenSteps, published.AttentionSteps]);
        return published with
        {
            TokenSteps = steps[0],
            AttentionSteps = steps[1],
            EotReplaceStep = arguments.Literal("eot_replace_step", published.EotReplaceStep),
            TokenRefinements = arguments.Literal("token_refinement_steps", published.TokenRefinements),
            AttentionRefinements = arguments.Literal("attention_refinement_steps", published.AttentionRefinements),
            Thresholds = arguments.Literal("thresholds", published.Thresholds),
            ScaleFactor = arguments.Literal("scale_factor", published.ScaleFactor),
            ScaleRange = arguments.Literal("scale_range", published.ScaleRange),
            AttentionResolution = arguments.Literal("attention_res", published.AttentionResolution),
            Guidance = arguments.Literal("guidance_scale", published.Guidance),
            GuidanceRescale = arguments.Literal("guidance_rescale", published.GuidanceRescale),
        };
    }

    /// <summary>The size of updates in a step.</summary>
    public double StepSize(int step, int steps) => ScaleFactor * (ScaleRange[0] + (steps > 1 ? step * (ScaleRange[1] - ScaleRange[0]) / (steps - 1) : 0));

    /// <summary>The entropy at which a step's refinement ends.</summary>
    public double Threshold(int step) => Thresholds[step] / 2 * Groups.Length - 2;

    /// <summary>Most refinements by attention at a timestep.</summary>
    public int MostRefinements(float timestep) => AttentionRefinements[timestep / 1000 > 0.9f ? 0 : 1];
}

/// <summary>Changes of prompts (M, E) that need no network (section 3.2).</summary>
internal static class Prompts
{
    private const float OfNoun = 1.1f, OfAttributes = 1.2f;

    /// <summary>A copy in which each noun is the weighted sum of its group, whose other tokens are zeros. text (1, M, E).</summary>
    public static Tensor<float> Merge(Tensor<float> text, int[][][] groups)
    {
        var (result, width) = (Batch.Copy(text), (int)text.Shape[^1]);
        foreach (var group in groups)
        {
            var merged = new float[width];
            for (var i = 0; i < width; i++) merged[i] = OfNoun * group[0].Sum(token => result.Span[token * width + i]) + OfAttributes * group[1].Sum(token => result.Span[token * width + i]);
            merged.CopyTo(result.Span.Slice(group[0][0] * width, width));
            foreach (var token in group[0].Skip(1).Concat(group[1])) result.Span.Slice(token * width, width).Clear();
        }

        return result;
    }

    /// <summary>A token (1, 1, E) of a prompt (M, E); memory is shared.</summary>
    public static Tensor<float> Token(Tensor<float> text, int position)
    {
        var width = (int)text.Shape[^1];
        return new(text.Memory.Slice(position * width, width), [1, 1, width]);
    }
}

/// <summary>SDXL with each thing of the prompt, and what is said about it, in one token.</summary>
public static class SemanticBindingModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/tome-semantic-binding",
            Paper = "Token Merging for Training-Free Semantic Binding in Text-to-Image Synthesis",
            ArXiv = "2411.07132",
            Authors = ["Taihang Hu", "Linxuan Li", "Joost van de Weijer", "Hongcheng Gao", "Fahad Shahbaz Khan", "Jian Yang", "Ming-Ming Cheng", "Kai Wang", "Yaxing Wang"],
            Repository = "hutaihang/ToMe",
            CodeLicense = "not known",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: UNet2DConditionModel of SDXL + scheduler_config.json, alone or in a pipeline's folder"],
            Deviations = "The user says which words belong to which thing; the loss of positions is left out.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource folder, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(folder);
        var source = pipeline.Denoiser("unet");
        var config = PublishedConfig.Read<UNetConfig>(source.RequireFolder()).Value;
        var scheduler = pipeline.Scheduler ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no scheduler.") { Where = pipeline.Root, Expected = "scheduler_config.json" };
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var calls = new SemanticBindingCalls(NetworkContext.Of(source, checkpoint) with { Stages = false }, config, scheduler.Config);
            return PublishedModel.Generating([checkpoint], [calls], calls.CallAsync, BoundPipeline.Open(pipeline, calls, config));
        });
    }
}

/// <summary>The calls of the authors' code.</summary>
internal sealed class SemanticBindingCalls(NetworkContext context, UNetConfig config, ISchedulerConfig schedulers) : IDisposable
{
    private readonly UNet.UNet _unet = new(context, config);
    private readonly BindingLosses _losses = new(context, config);

    /// <summary>The U-Net.</summary>
    public UNet.UNet UNet => _unet;

    /// <summary>The losses of the first steps.</summary>
    public BindingLosses Losses => _losses;

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "token_merge" => Task.FromResult(new CallResults().Add("merged_embeds", Prompts.Merge(arguments.Tensor<float>("prompt_embeds"), arguments.Literal<int[][][]>("token_indices")))),
        "sample" => SampleAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "token_merge, sample"),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _unet.Dispose();
        _losses.Dispose();
    }

    private async Task<CallResults> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var scheduler = Scheduler(arguments.Literal("num_inference_steps", 50));
        var anchors = arguments.Tensor<float>("anchor_prompt_embeds");
        var texts = new BindingTexts(arguments.Tensor<float>("prompt_embeds"), arguments.Tensor<float>("negative_prompt_embeds"), arguments.Tensor<float>("merged_prompt_embeds"),
            [.. Enumerable.Range(0, (int)anchors.Shape[0]).Select(i => Batch.Range(anchors, i, i + 1))], arguments.Tensor<float>("pooled"), arguments.Tensor<float>("time_ids"));
        var run = new BindingRun(_unet, _losses, BindingOptions.Of(arguments), texts, () => Scheduler(scheduler.Timesteps.Length), arguments.Tensor<float>("latents"));
        var (sample, states) = (Batch.Copy(arguments.Tensor<float>("latents")), new List<Tensor<float>>());
        await foreach (var state in SchedulerLoop.RunAsync(scheduler, sample, NoNoise.Instance, (x, timestep) => run.PredictAsync(x, timestep, cancel), cancel: cancel).ConfigureAwait(false)) states.Add(Batch.Copy(state.Sample));
        var trajectory = Batch.Stack(states);
        var results = run.Results.Add("trajectory", trajectory).Add("sample", states[^1]);
        return run.Updates ? results : results.Add("trajectory_without_updates", trajectory);
    }

    private IScheduler Scheduler(int steps)
    {
        var scheduler = schedulers.Create();
        scheduler.SetTimesteps(new(steps));
        return scheduler;
    }
}
