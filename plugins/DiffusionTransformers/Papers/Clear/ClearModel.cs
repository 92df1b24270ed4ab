// CLEAR: Conv-Like Linearization Revs Pre-Trained Diffusion Transformers Up. Liu, Tan, Wang. arXiv:2412.16112. github.com/Huage001/CLEAR
// Published layout: diffusers FluxTransformer2DModel and, beside it, clear_local_*.safetensors, whose attention weights replace FLUX's. Deviations: the window is a mask on dense attention; the result is the same.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Clear;

/// <summary>How the window of CLEAR is set.</summary>
/// <param name="Height">Rows of the picture's tokens.</param>
/// <param name="Width">Columns.</param>
/// <param name="Window">Radius: tokens nearer than that are seen.</param>
/// <param name="Down">Factor by which all tokens are pooled besides; 1 for not.</param>
/// <param name="Proportional">True when scores grow with the number of keys.</param>
internal sealed record ClearWindow(int Height, int Width, int Window, int Down, bool Proportional)
{
    // The authors' code cuts the text off at this length before it pools; longer and shorter texts do not fit it.
    private const long PooledTextLength = 512;

    // Tokens of a picture of 1024 x 1024 and a text, on which FLUX was trained.
    private const double TrainedLength = 64 * 64 + 512;

    /// <summary>1 where a token of the picture sees another: (H W, H W).</summary>
    public long[] Mask()
    {
        var count = Height * Width;
        var mask = new long[count * count];
        for (var q = 0; q < count; q++)
        {
            for (var k = 0; k < count; k++)
            {
                var (dy, dx) = (q / Width - k / Width, q % Width - k % Width);
                mask[q * count + k] = dy * dy + dx * dx < Window * Window ? 1 : 0;
            }
        }

        return mask;
    }

    /// <summary>Attention of FLUX's blocks: text sees all tokens, the picture's see the text, their window, and everything pooled.</summary>
    public Value Attend(Scope attn, Value q, Value k, Value v, int heads)
    {
        var (g, total, image) = (q.Graph, q.Shape[1].Size, (long)Height * Width);
        var words = total - image;
        var pooled = Down > 1 ? image / (Down * Down) : 0;
        var (mask, bias) = (Mask(), new float[total * (total + pooled)]);
        for (var row = 0L; row < total; row++)
        {
            for (var column = 0L; column < total + pooled; column++)
            {
                var seen = row < words ? column < total : column < words || column >= total || mask[(row - words) * image + column - words] != 0;
                bias[row * (total + pooled) + column] = seen ? 0 : AttentionLayers.Masked;
            }
        }

        if (pooled > 0)
        {
            if (words != PooledTextLength) throw new OptionsException(ErrorCodes.OptionRange, "With pooled keys the text has one length.") { Where = "encoder_hidden_states", Expected = $"{PooledTextLength} tokens", Found = $"{words}" };
            var weight = attn["processor"].Weight("spatial_weight", 1, 1, 1, Down, 1, Down, 1).Reshape(1, 1, Down, 1, Down, 1);
            (k, v) = (ValueShape.Concat(1, k, Pool(k.From(1, words), weight)), ValueShape.Concat(1, v, Pool(v.From(1, words), weight)));
        }

        var width = q.Shape[-1].Size / heads;
        var keys = Down > 1 ? 10.0 * total : total;
        var scale = Proportional ? Math.Sqrt(Math.Log(keys, TrainedLength) / width) : 1 / Math.Sqrt(width);
        return AttentionLayers.Attention(q, k, v, new() { Heads = heads, Scale = scale, Bias = g.Constant<float>(bias, 1, 1, total, total + pooled) });
    }

    private Value Pool(Value x, Value weight)
    {
        var cells = x.Reshape(x.Shape[0], Height / Down, Down, Width / Down, Down, x.Shape[2]) * weight;
        return cells.Reduce("ReduceSum", [2, 4], keep: false).Flatten(1, 2);
    }
}

/// <summary>Options of generation with local attention.</summary>
public sealed record ClearOptions : FluxOptions
{
    /// <summary>Radius of the window; null is the published file's.</summary>
    [Description("Tokens of the picture nearer than this see each other; the number in the file's name when left out."), Range(1, 1024)]
    public int? WindowSize { get; init; }

    /// <summary>Base of the rotary positions.</summary>
    [Description("Factor of the base of rotary positions, for pictures larger than the model was trained on; 10 for 2048 pixels."), Range(0.1, 1000.0)]
    public double NtkFactor { get; init; } = 1;

    /// <summary>Whether scores grow with the number of keys.</summary>
    [Description("Scale attention by the number of keys, for pictures larger than the model was trained on.")]
    public bool ProportionalAttention { get; init; }
}

/// <summary>CLEAR on FLUX.1.</summary>
public static partial class ClearModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/clear",
            Paper = "CLEAR: Conv-Like Linearization Revs Pre-Trained Diffusion Transformers Up",
            ArXiv = "2412.16112",
            Authors = ["Songhua Liu", "Zhenxiong Tan", "Xinchao Wang"],
            Repository = "Huage001/CLEAR",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: FluxTransformer2DModel, alone or in a pipeline's folder, + clear_local_*.safetensors"],
            Deviations = "The window is a mask on dense attention.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(source);
        var config = PublishedConfig.Read<FluxConfig>(pipeline.Denoiser("transformer").RequireFolder()).Value;
        var adapters = Weights.Companions(source, "clear_*.safetensors");
        return Weights.Guarded(pipeline.Base("transformer"), checkpoint =>
        {
            var context = NetworkContext.Of(source, adapters.Count > 0 ? new OverlaidTensors(checkpoint, adapters[0]) : checkpoint);
            var published = adapters.Count > 0 ? PublishedName().Match(Path.GetFileName(adapters[0].Files[0])) : Match.Empty;
            var generator = FluxPipeline.Of<ClearOptions>(pipeline, config, run =>
            {
                var flux = Build(context with { Stages = false }, config, run, published);
                return FluxRun.Of(flux) with { Owned = flux };
            })?.Open(pipeline);
            return PublishedModel.Generating([checkpoint, .. adapters], [], (call, arguments, token) => call == "forward" ? ForwardAsync(context, config, arguments, token) : throw Calls.Unknown(call, "forward"), generator);
        });
    }

    // Window and pooling stand in the names of the published files: clear_local_16_down_4.safetensors.
    [GeneratedRegex(@"_(?<window>\d+)(_down_(?<down>\d+))?\.")]
    private static partial Regex PublishedName();

    private static FluxTransformer Build(NetworkContext context, FluxConfig config, TextRun<ClearOptions> run, Match published)
    {
        var (rows, columns) = FluxPipeline.Tokens(run);
        var options = run.Options;
        var window = new ClearWindow(rows, columns, options.WindowSize ?? Named("window", 16), Named("down", 1), options.ProportionalAttention);
        return Transformer(context, config, window, rows * columns, FluxPipeline.Words(options, config), options.NtkFactor);

        int Named(string group, int otherwise) => published.Groups[group] is { Success: true } found ? int.Parse(found.Value, CultureInfo.InvariantCulture) : otherwise;
    }

    private static FluxTransformer Transformer(NetworkContext context, FluxConfig config, ClearWindow window, long tokens, long words, double ntk) =>
        new(context, config, _ => new() { Attend = (attn, q, k, v) => window.Attend(attn, q, k, v, config.NumAttentionHeads) }, tokens, words, 10000 * ntk);

    private static async Task<CallResults> ForwardAsync(NetworkContext context, FluxConfig config, CallArguments arguments, CancellationToken cancel)
    {
        var window = new ClearWindow(
            arguments.Literal<int>("height"), arguments.Literal<int>("width"), arguments.Literal<int>("window_size"), arguments.Literal("down_factor", 1), arguments.Literal("proportional_attention", false));
        var (tokens, words) = (arguments.Tensor("hidden_states").Shape[1], arguments.Tensor("encoder_hidden_states").Shape[1]);
        using var flux = Transformer(context, config, window, tokens, words, arguments.Literal("ntk_factor", 1.0));
        var results = await flux.ForwardAsync(arguments, cancel).ConfigureAwait(false);
        return results.Add("image_window_mask", Tensor.Create(window.Mask(), tokens, tokens));
    }
}
