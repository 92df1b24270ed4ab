// DiT4SR: Taming Diffusion Transformer for Real-World Image Super-Resolution. Duan, Zhang, Jin, Zhang, Xiong, Zou, Ren, Guo, Li. arXiv:2503.23580. github.com/Adam-duan/DiT4SR
// Published layout: diffusers SD3Transformer2DModel with the control layers. Deviations: the low-resolution latent is the mean of what the autoencoder gives, not a draw; pictures are not described by LLaVA, but by the user's words.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.DiT4SR;

/// <summary>
/// Which of the authors' two versions the weights belong to; they have the same layout. In <c>model_dit4sr</c> (published as dit4sr_f and dit4sr_q) keys of the low-resolution stream are the image's, normalised once more, where keys
/// are normalised at all; in <c>model_dit4sr_r1</c> it has keys of its own.
/// </summary>
internal static class DiT4SRVersion
{
    private const string Setting = "reference", First = "dit4sr", Revised = "dit4sr_r1";

    /// <summary>Whether keys of the low-resolution stream are the image's: as the setting says, else as the weights show.</summary>
    /// <exception cref="OptionsException">The setting names neither version.</exception>
    public static bool SharesKeys(ModelSource source, Checkpoint checkpoint)
    {
        if (source.Settings.Text(Setting) is not { } reference) return !HasLearnedKeys(checkpoint);
        if (reference.Contains(Revised, StringComparison.Ordinal)) return false;
        return reference.Contains(First, StringComparison.Ordinal) ? true : throw new OptionsException(ErrorCodes.OptionRange, "The setting names neither of the authors' two versions.")
        { Where = Setting, Expected = $"a text with 'model_{First}' or 'model_{Revised}'", Found = reference, Remedy = "Leave it out: trained weights show their version." };
    }

    // Training begins with maps of zeros, and where they are not looked at they stay so.
    private static bool HasLearnedKeys(Checkpoint checkpoint) =>
        ((Tensor<float>)WeightConversion.ToTensor(WeightConversion.ToFloat32(checkpoint.Get("transformer_blocks.0.attn.to_k_control.weight")))).Span.ContainsAnyExcept(0f);
}

/// <summary>SD3 with the low-resolution latent as further tokens of the image's stream (section 3.2).</summary>
internal static class DiT4SRNetwork
{
    /// <summary>Argument name of the low-resolution latent.</summary>
    public const string LowResolution = "controlnet_image";

    /// <summary>How SD3's network becomes this one.</summary>
    /// <param name="sharedKeys">Whether keys of the low-resolution stream are the image's.</param>
    public static SD3Hooks Hooks(bool sharedKeys) => new()
    {
        Companion = LowResolution,
        Attention = (attn, both, text, options, further) => Attention(attn, both, text, options, further, sharedKeys),
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
            var hooks = DiT4SRNetwork.Hooks(DiT4SRVersion.SharesKeys(source, checkpoint));
            var network = new TextNetwork(NetworkContext.Of(source, checkpoint), "dit4sr", "velocity", conditions, (scope, inputs) => SD3Network.Build(scope, inputs, config, hooks));
            return PublishedModel.Generating([checkpoint], [network], (call, arguments, token) => call == "forward" ? network.ForwardAsync(arguments, token) : throw Calls.Unknown(call, "forward"), SuperResolution.Open(pipeline, config, network));
        });
    }
}
