// TokenCompose: Grounding Diffusion with Token-level Supervision. Zirui Wang, Zhizhou Sha, Zheng Ding, Yilin Wang, Zhuowen Tu. arXiv:2312.03626. github.com/mlpc-ucsd/TokenCompose
// Published layout: diffusers UNet2DConditionModel of Stable Diffusion 1.4 and 2.1. Deviations: none.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.TokenCompose;

/// <summary>Where in the picture each word is looked at: the cross-attention's probabilities, read out.</summary>
internal sealed class AttentionMaps(Scope scope)
{
    private readonly Dictionary<string, int> _counts = [];

    /// <summary>Prefix of the names of maps, which go on with place, resolution and number.</summary>
    public const string Prefix = "cross_attention_";

    /// <summary>What changes in the network: maps become outputs.</summary>
    public UNetHooks Hooks => new() { Attention = (attn, x, text, heads) => text is null ? attn.DiffusersAttention(x, heads) : Read(attn, x, text, heads) };

    /// <summary>Attention to text whose probabilities can be read. x (B, N, D), text (B, M, E) -> (B, N, D), probabilities (B, heads, N, M).</summary>
    public static (Value Output, Value Map) Attend(Scope attn, Value x, Value text, long heads)
    {
        var width = x.Shape[-1].Size;
        var (q, k, v) = (attn["to_q"].Linear(x, width, bias: false).SplitHeads(heads), attn["to_k"].Linear(text, width, bias: false).SplitHeads(heads), attn["to_v"].Linear(text, width, bias: false).SplitHeads(heads));
        var map = (q.MatMul(k.Swap(-1, -2)) * (1 / Math.Sqrt(width / heads))).Softmax();                                     // (B, heads, N, M)
        return (attn["to_out.0"].Linear(map.MatMul(v).MergeHeads(), width), map);
    }

    private Value Read(Scope attn, Value x, Value text, long heads)
    {
        var (output, map) = Attend(attn, x, text, heads);
        var side = (int)Math.Sqrt(x.Shape[1].Int);
        var place = $"{attn.Path[..attn.Path.IndexOf('_')]}_{side}";
        var number = _counts[place] = _counts.GetValueOrDefault(place, -1) + 1;
        scope.Graph.Output($"{Prefix}{place}_{number}", map.Reshape(x.Shape[0] * heads, side, side, text.Shape[1]));
        return output;
    }
}

/// <summary>Stable Diffusion that was trained to look for each word where it is.</summary>
public static class TokenComposeModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/tokencompose",
            Paper = "TokenCompose: Grounding Diffusion with Token-level Supervision",
            ArXiv = "2312.03626",
            Authors = ["Zirui Wang", "Zhizhou Sha", "Zheng Ding", "Yilin Wang", "Zhuowen Tu"],
            Repository = "mlpc-ucsd/TokenCompose",
            CodeLicense = "Apache-2.0",
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
            var context = NetworkContext.Of(source, checkpoint) with { Stages = false };
            var (calls, unet) = (new TokenComposeCalls(context, config), new UNet.UNet(context, config));
            return PublishedModel.Generating([checkpoint], [calls, unet], calls.CallAsync, StableDiffusion.Of<TextOptions>(pipeline, unet)?.Open(pipeline));
        });
    }
}

/// <summary>The calls of the authors' code.</summary>
internal sealed class TokenComposeCalls : IDisposable
{
    private readonly UNet.UNet _unet;
    // Maps of the last forward call, which losses are computed of.
    private IReadOnlyList<KeyValuePair<string, Tensor<float>>> _maps = [];

    /// <summary>Prepares networks over a checkpoint.</summary>
    public TokenComposeCalls(NetworkContext context, UNetConfig config) => _unet = new(context, config, (scope, _, _) => new AttentionMaps(scope).Hooks);

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => ForwardAsync(arguments, cancel),
        "grounding_loss" => Task.FromResult(Loss(arguments)),
        _ => throw Calls.Unknown(call, "forward, grounding_loss"),
    };

    /// <inheritdoc/>
    public void Dispose() => _unet.Dispose();

    private async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        var results = await _unet.ForwardAsync(arguments, cancel).ConfigureAwait(false);
        _maps = [.. results.Values.Where(result => result.Key.StartsWith(AttentionMaps.Prefix, StringComparison.Ordinal)).Select(result => KeyValuePair.Create(result.Key, (Tensor<float>)result.Value))];
        return results;
    }

    private CallResults Loss(CallArguments arguments)
    {
        // A place, a resolution, and a star for the number.
        var prefix = arguments.Literal<string>("attention").TrimEnd('*');
        var (side, words, masks) = (arguments.Literal<int>("resolution"), arguments.Literal<int[][]>("word_token_indices"), arguments.Tensor<float>("masks"));
        var maps = _maps.Where(map => map.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(map => map.Value).ToList();
        var (token, pixel) = GroundingLoss.Compute(maps, words, [.. Enumerable.Range(0, words.Length).Select(word => GroundingLoss.Shrink(masks.Slice(word), side))]);
        var place = prefix[AttentionMaps.Prefix.Length..].TrimEnd('_');
        return new CallResults().Add($"token_loss_{place}", Tensor.Create<float>([token], 1)).Add($"pixel_loss_{place}", Tensor.Create<float>([pixel], 1));
    }
}
