// DiT4SR: Taming Diffusion Transformer for Real-World Image Super-Resolution. Duan, Zhang, Jin, Zhang, Xiong, Zou, Ren, Guo, Li. arXiv:2503.23580. github.com/Adam-duan/DiT4SR
// Published layout: diffusers SD3Transformer2DModel with the control layers. Deviations: the low-resolution latent is the mean of what the autoencoder gives, not a draw; pictures are not described by LLaVA, but by the user's words. The two published variants differ in one line, and neither's files say which they belong to: weights with dual attention are taken as
// model_dit4sr (keys of the low-resolution stream are the image's, normalised once more), others as model_dit4sr_r1 (keys of its own).
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.DiT4SR;

/// <summary>SD3 with the low-resolution latent as further tokens of the image's stream (section 3.2).</summary>
internal static class DiT4SRNetwork
{
    /// <summary>Argument name of the low-resolution latent.</summary>
    public const string LowResolution = "controlnet_image";

    /// <summary>How SD3's network becomes this one.</summary>
    public static SD3Hooks Hooks(SD3Config config) => new()
    {
        Companion = LowResolution,
        Attention = (attn, both, text, options, further) => Attention(attn, both, text, options, further, sharedKeys: config.DualAttentionLayers.Length > 0),
        FeedForward = FeedForward,
    };

    // Queries, keys and values of the low-resolution tokens pass further maps; what they saw is added to what they were.
    private static (Value, Value?) Attention(Scope attn, Value both, Value? text, JointLayers.Options options, bool further, bool sharedKeys)
    {
        var (width, heads) = (both.Shape[-1].Size, options.Heads);
        var (image, low) = both.Chunk2(1);
        Value Norm(string name, Value x) => options.Normed ? x.PerHead(heads, head => attn[name].RmsNorm(head)) : x;
        Value Map(string name, Value x) => attn[name].Linear(x, width);
        var (q, k, v) = (Norm("norm_q", Map("to_q", image)), Norm("norm_k", Map("to_k", image)), Map("to_v", image));
        var (lowQ, lowK, lowV) = (Norm("norm_q", Map("to_q_control", Map("to_q", low))), Map("to_k_control", Map("to_k", low)), Map("to_v_control", Map("to_v", low)));
        if (options.Normed) lowK = Norm("norm_k", sharedKeys ? k : lowK);
        List<Value> queries = [q, lowQ], keys = [k, lowK], values = [v, lowV];
        if (text is not null)
        {
            queries.Add(Norm("norm_added_q", Map("add_q_proj", text)));
            keys.Add(Norm("norm_added_k", Map("add_k_proj", text)));
            values.Add(Map("add_v_proj", text));
        }

        var seen = AttentionLayers.Attention(ValueShape.Concat(1, [.. queries]), ValueShape.Concat(1, [.. keys]), ValueShape.Concat(1, [.. values]), new() { Heads = heads });
        var tokens = image.Shape[1];
        var result = ValueShape.Concat(1, Map("to_out.0", seen.Take(1, tokens)), Map("to_out_control", seen.Slice(1, tokens, tokens * 2) + low));
        return (result, text is null || !further ? null : Map("to_add_out", seen.From(1, tokens * 2)));
    }

    // Inside the MLP the image's tokens get 1.2 times a 3 x 3 convolution of the low-resolution ones.
    private static Value FeedForward(Scope ff, Value both)
    {
        var width = both.Shape[-1].Size;
        var (image, low) = ff["net.0.proj"].Linear(both, 4 * width).Gelu(Gelu.Tanh).Chunk2(1);
        var side = (int)Math.Sqrt(image.Shape[1].Size);
        var near = ff["control_conv"].Conv(low.Swap(1, 2).Reshape(low.Shape[0], 4 * width, side, side), 4 * width, 3, padding: 1, groups: 4 * width).Flatten(2).Swap(1, 2);
        return ff["net.2"].Linear(ValueShape.Concat(1, image + near * 1.2, low), width);
    }
}

/// <summary>DiT4SR: the transformer of 4x super-resolution.</summary>
public static class DiT4SRModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/dit4sr",
            Paper = "DiT4SR: Taming Diffusion Transformer for Real-World Image Super-Resolution",
            ArXiv = "2503.23580",
            Authors = ["Zheng-Peng Duan", "Jiawei Zhang", "Xin Jin", "Ziheng Zhang", "Zheng Xiong", "Dongqing Zou", "Jimmy S. Ren", "Chun-Le Guo", "Chongyi Li"],
            Repository = "Adam-duan/DiT4SR",
            CodeLicense = "Pi-Lab License 1.0 (non-commercial)",
            Inputs = [Modality.Image, Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: SD3Transformer2DModel with control layers, alone or as the transformer of a Stable Diffusion 3.5 folder"],
            Deviations = "The low-resolution latent is the autoencoder's mean, not a draw; pictures are described by the user's words, not by LLaVA.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource folder, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(folder);
        var source = pipeline.Denoiser("transformer");
        var config = PublishedConfig.Read<SD3Config>(source.RequireFolder()).Value;
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var conditions = SD3Network.Conditions(config) with { Pictures = [DiT4SRNetwork.LowResolution] };
            var network = new TextNetwork(NetworkContext.Of(source, checkpoint), "dit4sr", "velocity", conditions, (scope, inputs) => SD3Network.Build(scope, inputs, config, DiT4SRNetwork.Hooks(config)));
            return PublishedModel.Generating([checkpoint], [network], (call, arguments, token) => call == "forward" ? network.ForwardAsync(arguments, token) : throw Calls.Unknown(call, "forward"), SuperResolution.Open(pipeline, config, network));
        });
    }
}
