// Domain-Agnostic Tuning-Encoder for Fast Personalization of Text-To-Image Models. Arar, Gal, Atzmon, Chechik, Cohen-Or, Shamir, Bermano. arXiv:2307.06925. No public code.
// Layout (by specification): unet.safetensors (diffusers), encoder.safetensors, token_embedding.safetensors and config.json, with Stable Diffusion's text_encoder, tokenizer, vae and scheduler and CLIP's image_encoder in folders beside them. Deviations: none from the specification; the tuning on the one picture before sampling is left out.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.DatEncoder;

/// <summary>Keys of the encoder's config.json.</summary>
public sealed record DatEncoderConfig
{
    /// <summary>Width of the pooled image feature.</summary>
    [Range(1, 65536)] public int ImageDim { get; init; } = 768;
    /// <summary>Width of the pooled feature of the U-Net's middle.</summary>
    [Range(1, 65536)] public int UnetDim { get; init; } = 1280;
    /// <summary>Width of the encoder.</summary>
    [Range(1, 65536)] public int Width { get; init; } = 1024;
    /// <summary>Width of the text's tokens.</summary>
    [Range(1, 65536)] public int TextDim { get; init; } = 768;
    /// <summary>Rank of the offsets.</summary>
    [Range(1, 1024)] public int Rank { get; init; } = 1;
    /// <summary>Factor on the word's offset from its class.</summary>
    public double WordScale { get; init; } = 0.1;
    /// <summary>Layers of the U-Net that have offsets.</summary>
    public string[] Targets { get; init; } = [];
    /// <summary>The U-Net.</summary>
    public UNetConfig Unet { get; init; } = new();
}

/// <summary>A picture of a concept as a word and as low-rank offsets of weights.</summary>
internal static class DatEncoderNetwork
{
    /// <summary>The trunk. image (B, I), unet (B, M), t (B) -> (B, W).</summary>
    public static Value Trunk(Scope encoder, Value image, Value unet, Value t, DatEncoderConfig config)
    {
        var time = encoder["t_embedder"];
        var h = (encoder["image_proj"].Linear(image, config.Width) + encoder["unet_proj"].Linear(unet, config.Width) + time.TimestepEmbedding(t, config.Width, time["mlp.0"].ShapeOf("weight")[1])).Silu();
        return h + encoder["trunk.2"].Linear(encoder["trunk.0"].Linear(h, config.Width).Silu(), config.Width);
    }

    /// <summary>The low-rank offset of a target: (B, r, in) and (B, out, r), the second over r.</summary>
    public static (Value Down, Value Up) Offset(Scope hyper, Value h, DatEncoderConfig config)
    {
        var (down, up) = (hyper["a"].ShapeOf("weight")[0], hyper["b"].ShapeOf("weight")[0]);
        return (hyper["a"].Linear(h, down).Reshape(h.Shape[0], config.Rank, down / config.Rank), hyper["b"].Linear(h, up).Reshape(h.Shape[0], up / config.Rank, config.Rank) / config.Rank);
    }

    /// <summary>The existing word that is nearest by cosine, the first of equals. v (B, E), table (words, E) -> ids (B) and rows (B, E).</summary>
    public static (Value Id, Value Word) Nearest(Value v, Value table)
    {
        var id = v.L2Normalize().MatMul(table.L2Normalize().Swap(0, 1)).ArgMax(-1);
        return (id, table.Gather(id));
    }

    /// <summary>
    /// Attention along two paths with shared queries: with offsets and the soft text, and without and the hard text; blend is the share of the first. A layer without offsets sees the soft text alone.
    /// </summary>
    public static Value Attention(Scope attn, Value x, Value? soft, Value? hard, long heads, Value blend, Func<string, (Value Down, Value Up)?> offset)
    {
        var width = x.Shape[-1].Size;
        var (q, k, v) = (Adapted("to_q", x), Adapted("to_k", soft ?? x), Adapted("to_v", soft ?? x));
        var seen = AttentionLayers.Attention(q, k, v, new() { Heads = heads });
        if (Has("to_q") || Has("to_k") || Has("to_v") || Has("to_out.0"))
        {
            var plain = AttentionLayers.Attention(q, Plain("to_k", hard ?? x), Plain("to_v", hard ?? x), new() { Heads = heads });
            seen = blend * seen + (1 - blend) * plain;
        }

        return Adapted("to_out.0", seen);

        bool Has(string map) => offset($"{attn.Path}.{map}") is not null;
        Value Plain(string map, Value input) => attn[map].Linear(input, width, bias: map == "to_out.0");
        Value Adapted(string map, Value input) => offset($"{attn.Path}.{map}") is var (down, up) ? Plain(map, input) + input.MatMul(down.Swap(1, 2)).MatMul(up.Swap(1, 2)) : Plain(map, input);
    }
}

/// <summary>A concept from one picture, in the words and weights of Stable Diffusion.</summary>
public static class DatEncoderModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/dat-encoder",
            Paper = "Domain-Agnostic Tuning-Encoder for Fast Personalization of Text-To-Image Models",
            ArXiv = "2307.06925",
            Authors = ["Moab Arar", "Rinon Gal", "Yuval Atzmon", "Gal Chechik", "Daniel Cohen-Or", "Ariel Shamir", "Amit H. Bermano"],
            Inputs = [Modality.Image, Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["by specification: unet.safetensors, encoder.safetensors, token_embedding.safetensors + config.json, alone or with text_encoder, tokenizer, image_encoder and vae beside them"],
            Deviations = "The tuning on the one picture before sampling is left out.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = PublishedConfig.Read<DatEncoderConfig>(folder).Value;
        return Weights.Guarded(Checkpoint.Open(Path.Combine(folder, "unet.safetensors")), unet =>
        {
            var (encoder, words) = (Checkpoint.Open(Path.Combine(folder, "encoder.safetensors")), Checkpoint.Open(Path.Combine(folder, "token_embedding.safetensors")));
            var context = NetworkContext.Of(source, unet) with { Stages = false };
            var calls = new DatEncoderCalls(context, NetworkContext.Of(source, encoder), words, config);
            return PublishedModel.Generating([unet, encoder, words], [calls], calls.CallAsync, ConceptPipeline.Open(new(source), context, calls, config));
        });
    }
}

/// <summary>The calls of the specification.</summary>
internal sealed class DatEncoderCalls : IDisposable
{
    private readonly Network _encoder;
    private readonly UNet.UNet _plain, _steered;
    private readonly DatEncoderConfig _config;
    // Offsets of the last picture that was encoded, which the specification's denoise takes.
    private (string, Tensor)[] _offsets = [];

    /// <summary>Builds the encoder and prepares both U-Nets.</summary>
    public DatEncoderCalls(NetworkContext unet, NetworkContext encoder, Checkpoint words, DatEncoderConfig config)
    {
        _config = config;
        _encoder = Network.Build(encoder, "dat encoder", scope => Declare(scope, WeightConversion.ToFloat32(words.Get("weight")), config));
        _plain = new(unet, config.Unet);
        _steered = new(unet, config.Unet, Steer);
    }

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "encode" => EncodeAsync(arguments, cancel),
        "denoise" => DenoiseAsync(arguments, cancel),
        "denoise_plain" => DenoisePlainAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "encode, denoise, denoise_plain"),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _encoder.Dispose();
        _plain.Dispose();
        _steered.Dispose();
    }

    /// <summary>The U-Net as it is.</summary>
    public Denoiser Plain => StableDiffusion.Denoiser(_plain);

    /// <summary>The U-Net along both paths, told of a concept by the conditions.</summary>
    public Denoiser Steered(double blend) => new(async (x, timestep, conditions, cancel) =>
    {
        (string, Tensor)[] further = [("blend", Batch.Filled(1, (float)blend)), .. conditions.Where(condition => condition.Key == "hard_states" || Offsets.Contains(condition.Key)).Select(condition => (condition.Key, (Tensor)condition.Value))];
        return (await _steered.RunAsync(x, Batch.Filled(1, timestep), conditions[StableDiffusion.Text], null, cancel, further).ConfigureAwait(false))["noise"];
    });

    /// <summary>A concept: its words <c>soft_token</c> and <c>hard_token</c> (1, E), and the offsets of weights by name.</summary>
    public async Task<Conditions> ConceptAsync(Tensor<float> image, Tensor<float> unet, float time, long classId, CancellationToken cancel)
    {
        var outputs = await _encoder.RunAsync(cancel, ("image_feature", image), ("unet_feature", unet), ("t", Batch.Filled(1, time)), ("class_token_id", Tensor.Create<long>([classId], 1))).ConfigureAwait(false);
        var concept = new Conditions { ["soft_token"] = outputs["soft_token"], ["hard_token"] = outputs["hard_token"] };
        foreach (var name in Offsets) concept[name] = outputs[name];
        return concept;
    }

    private IEnumerable<string> Offsets => _config.Targets.SelectMany(target => (string[])[Down(target), Up(target)]);

    private async Task<CallResults> EncodeAsync(CallArguments arguments, CancellationToken cancel)
    {
        var outputs = await _encoder.RunAsync(cancel, ("image_feature", arguments.Tensor<float>("image_feature")), ("unet_feature", arguments.Tensor<float>("unet_feature")),
            ("t", ClassNetwork.Times(arguments.Tensor("t"))), ("class_token_id", arguments.Tensor<long>("class_token_id"))).ConfigureAwait(false);
        _offsets = [.. Offsets.Select(name => (name, (Tensor)outputs[name]))];
        return outputs.ToResults();
    }

    private async Task<CallResults> DenoiseAsync(CallArguments arguments, CancellationToken cancel)
    {
        var blend = arguments.Literal<double>("blend");
        var outputs = await _steered.RunAsync(arguments.Tensor<float>("x"), arguments.Tensor("t"), arguments.Tensor<float>("soft_states"), null, cancel,
            [("hard_states", arguments.Tensor<float>("hard_states")), ("blend", Batch.Filled(1, (float)blend)), .. _offsets]).ConfigureAwait(false);
        // Cases name the prediction after its blend.
        return new CallResults().Add("epsilon_" + blend.ToString("0.0##", System.Globalization.CultureInfo.InvariantCulture).Replace('.', '_'), outputs["noise"]);
    }

    private async Task<CallResults> DenoisePlainAsync(CallArguments arguments, CancellationToken cancel) =>
        new CallResults().Add("epsilon_plain", (await _plain.RunAsync(arguments.Tensor<float>("x"), arguments.Tensor("t"), arguments.Tensor<float>("states"), null, cancel).ConfigureAwait(false))["noise"]);

    private UNetHooks Steer(Scope scope, int height, int width)
    {
        var (g, batch) = (scope.Graph, Dim.Symbol("batch"));
        var (hard, blend) = (g.Input("hard_states", [batch, Dim.Symbol("tokens"), _config.TextDim]), g.Input("blend", [1]));
        var offsets = _config.Targets.ToDictionary(target => target, target =>
        {
            var shape = scope[target].ShapeOf("weight");
            return (g.Input(Down(target), [batch, _config.Rank, shape[1]]), g.Input(Up(target), [batch, shape[0], _config.Rank]));
        });
        return new() { Attention = (attn, x, soft, heads) => DatEncoderNetwork.Attention(attn, x, soft, soft is null ? null : hard, heads, blend, map => offsets.TryGetValue(map, out var found) ? found : null) };
    }

    private static void Declare(Scope encoder, WeightData words, DatEncoderConfig config)
    {
        var (g, batch) = (encoder.Graph, Dim.Symbol("batch"));
        var table = g.Weight("token_embedding.weight", words, "token_embedding");
        var (image, unet, t, coarse) = (g.Input("image_feature", [batch, config.ImageDim]), g.Input("unet_feature", [batch, config.UnetDim]), g.Input("t", [batch]), g.Input("class_token_id", ElementType.Int64, [batch]));
        var h = DatEncoderNetwork.Trunk(encoder, image, unet, t, config);
        var soft = table.Gather(coarse) + encoder["word_head"].Linear(h, config.TextDim) * config.WordScale;
        var (id, word) = DatEncoderNetwork.Nearest(soft, table);
        g.Output("trunk", h);
        g.Output("soft_token", soft);
        g.Output("nearest_id", id);
        g.Output("hard_token", word);
        var layers = config.Targets.Select(Layer).Distinct().ToList();
        for (var j = 0; j < config.Targets.Length; j++)
        {
            var (target, (down, up)) = (config.Targets[j], DatEncoderNetwork.Offset(encoder["hyper"][j], h, config));
            g.Output(Down(target), down);
            g.Output(Up(target), up);
            g.Output($"offset_{layers.IndexOf(Layer(target))}_{target[(Layer(target).Length + ".to_".Length)..].Replace(".0", "")}", up.MatMul(down));
        }
    }

    // The attention that a map belongs to.
    private static string Layer(string target) => target[..target.LastIndexOf(".to_", StringComparison.Ordinal)];

    private static string Down(string target) => $"{target}.down";

    private static string Up(string target) => $"{target}.up";
}
