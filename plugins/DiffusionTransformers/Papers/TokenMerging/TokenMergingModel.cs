// Token Merging for Fast Stable Diffusion. Daniel Bolya, Judy Hoffman. arXiv:2303.17604. github.com/dbolya/tomesd
// Published layout: diffusers UNet2DConditionModel; the method has no weights. Deviations: random destinations are given, not drawn.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.TokenMerging;

/// <summary>The arguments of the authors' patch.</summary>
internal sealed record MergingOptions
{
    /// <summary>Share of the tokens that are merged.</summary>
    public double Ratio { get; init; } = 0.5;
    /// <summary>Blocks whose grid is coarser than this are left alone.</summary>
    public int MaxDownsample { get; init; } = 1;
    /// <summary>Columns of a cell.</summary>
    public int Sx { get; init; } = 2;
    /// <summary>Rows of a cell.</summary>
    public int Sy { get; init; } = 2;
    /// <summary>Whether tokens are merged around self-attention.</summary>
    public bool MergeAttn { get; init; } = true;
    /// <summary>Whether tokens are merged around attention to the text.</summary>
    public bool MergeCrossattn { get; init; }
    /// <summary>Whether tokens are merged around the feed-forward block.</summary>
    public bool MergeMlp { get; init; }

    /// <summary>Reads a call's arguments.</summary>
    public static MergingOptions Of(CallArguments arguments) => arguments.Literal("use_rand", false)
        ? throw new ModelZooException(ErrorCodes.VerbUnsupported, "Random destinations are not drawn.") { Where = "use_rand", Expected = "false" }
        : new()
        {
            Ratio = arguments.Literal("ratio", 0.5),
            MaxDownsample = arguments.Literal("max_downsample", 1),
            Sx = arguments.Literal("sx", 2),
            Sy = arguments.Literal("sy", 2),
            MergeAttn = arguments.Literal("merge_attn", true),
            MergeCrossattn = arguments.Literal("merge_crossattn", false),
            MergeMlp = arguments.Literal("merge_mlp", false),
        };
}

/// <summary>The U-Net whose transformer blocks merge tokens.</summary>
internal static class TokenMergingNetwork
{
    /// <summary>What changes in a U-Net over latents of that size.</summary>
    public static UNetHooks Hooks(Scope scope, int height, int width, MergingOptions options)
    {
        var number = 0;
        return new() { Block = (block, h, text, heads, onlyText) => scope.Stage($"block_{number++}", Block(block, h, text, heads, onlyText, Matching(h))) };

        Merging Matching(Value h)
        {
            var tokens = h.Shape[1].Int;
            var downsample = (int)Math.Ceiling(Math.Sqrt(height * width / tokens));
            if (downsample > options.MaxDownsample) return Merging.None;
            var (rows, columns) = ((height + downsample - 1) / downsample, (width + downsample - 1) / downsample);
            var order = BipartiteMatching.Order(rows, columns, options.Sy, options.Sx, null);
            return BipartiteMatching.Match(h, h.Graph.Constant<long>(order, order.Length), BipartiteMatching.Destinations(rows, columns, options.Sy, options.Sx), (long)(tokens * options.Ratio));
        }

        Value Block(Scope block, Value h, Value text, long heads, bool onlyText, Merging merging)
        {
            h += Within(options.MergeAttn, "norm1", x => block["attn1"].DiffusersAttention(x, heads, onlyText ? text : null));
            h += Within(options.MergeCrossattn, "norm2", x => block["attn2"].DiffusersAttention(x, heads, text));
            return h + Within(options.MergeMlp, "norm3", x => block["ff"].DiffusersFeedForward(x, "geglu"));

            Value Within(bool merged, string norm, Func<Value, Value> branch)
            {
                var x = block[norm].LayerNorm(h);
                return merged ? merging.Unmerge(branch(merging.Merge(x))) : branch(x);
            }
        }
    }
}

/// <summary>Stable Diffusion's U-Net with fewer tokens.</summary>
public static class TokenMergingModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/tome-sd",
            Paper = "Token Merging for Fast Stable Diffusion",
            ArXiv = "2303.17604",
            Authors = ["Daniel Bolya", "Judy Hoffman"],
            Repository = "dbolya/tomesd",
            CodeLicense = "MIT",
            WeightsLicense = "CreativeML OpenRAIL-M",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: UNet2DConditionModel, alone or in a pipeline's folder"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource folder, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(folder);
        var source = pipeline.Denoiser("unet");
        var config = PublishedConfig.Read<UNetConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var context = NetworkContext.Of(source, checkpoint);
            var calls = new TokenMergingCalls(context, config);
            return PublishedModel.Generating([checkpoint], [], calls.CallAsync, StableDiffusion.Of<MergedTextOptions>(pipeline, config, run =>
            {
                var merging = run.Options.Merging;
                return (new UNet.UNet(context with { Stages = false }, config, (scope, height, width) => TokenMergingNetwork.Hooks(scope, height, width, merging)), null);
            })?.Open(pipeline));
        });
    }
}

/// <summary>Options of generation with merged tokens.</summary>
public sealed record MergedTextOptions : TextOptions
{
    /// <summary>Share of the tokens that are merged.</summary>
    [Description("Share of the tokens that are merged; 0 for none."), Range(0.0, 0.75)]
    public double Ratio { get; init; } = 0.5;

    /// <summary>Coarsest grid that is merged.</summary>
    [Description("Blocks whose grid is coarser than this many places are left alone."), AllowedValues(1, 2, 4, 8)]
    public int MaxDownsample { get; init; } = 1;

    /// <summary>Columns of a cell.</summary>
    [Description("Columns of a cell, one token of which the others are merged into."), Range(1, 16)]
    public int Sx { get; init; } = 2;

    /// <summary>Rows of a cell.</summary>
    [Description("Rows of a cell."), Range(1, 16)]
    public int Sy { get; init; } = 2;

    /// <summary>Around attention to the text, too.</summary>
    [Description("Merge around attention to the text, too.")]
    public bool MergeCrossattn { get; init; }

    /// <summary>Around the feed-forward block, too.</summary>
    [Description("Merge around the feed-forward block, too.")]
    public bool MergeMlp { get; init; }

    internal MergingOptions Merging => new() { Ratio = Ratio, MaxDownsample = MaxDownsample, Sx = Sx, Sy = Sy, MergeCrossattn = MergeCrossattn, MergeMlp = MergeMlp };
}

/// <summary>The calls of the authors' code.</summary>
internal sealed class TokenMergingCalls(NetworkContext context, UNetConfig config)
{
    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "merge" => MergeAsync(arguments, cancel),
        "unet" => UNetAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "merge, unet"),
    };

    private async Task<CallResults> MergeAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (metric, values, choice) = (arguments.Tensor<float>("metric"), arguments.Tensor<float>("values"), arguments.FindTensor<long>("dst_choice"));
        var (rows, columns, sx, sy, r) = (arguments.Literal<int>("height"), arguments.Literal<int>("width"), arguments.Literal<int>("sx"), arguments.Literal<int>("sy"), arguments.Literal<int>("r"));
        var (tokens, features, channels, batch) = (metric.Shape[1], metric.Shape[2], values.Shape[2], Dim.Symbol("batch"));
        using var network = Network.Build(context, "token merging", scope =>
        {
            var g = scope.Graph;
            var order = BipartiteMatching.Order(rows, columns, sy, sx, choice);
            var merging = BipartiteMatching.Match(g.Input("metric", [batch, tokens, features]), g.Constant<long>(order, order.Length), BipartiteMatching.Destinations(rows, columns, sy, sx), r);
            var merged = merging.Merge(g.Input("values", [batch, tokens, channels]));
            g.Output("merged", merged);
            g.Output("unmerged", merging.Unmerge(merged));
        });
        var outputs = await network.RunAsync(cancel, ("metric", metric), ("values", values)).ConfigureAwait(false);
        // Cases name the results after how destinations were chosen.
        var suffix = choice is null ? "_fixed" : "";
        return new CallResults().Add($"merged{suffix}", outputs["merged"]).Add($"unmerged{suffix}", outputs["unmerged"]);
    }

    private async Task<CallResults> UNetAsync(CallArguments arguments, CancellationToken cancel)
    {
        var options = MergingOptions.Of(arguments);
        using var unet = new UNet.UNet(context, config, (scope, height, width) => TokenMergingNetwork.Hooks(scope, height, width, options));
        var results = await unet.ForwardAsync(arguments, cancel).ConfigureAwait(false);
        return options.Ratio > 0 ? results.Add("noise_merged", results.Tensor("noise")) : results;
    }
}
