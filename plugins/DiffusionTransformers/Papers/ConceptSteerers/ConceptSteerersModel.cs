// Concept Steerers: Leveraging K-Sparse Autoencoders for Controllable Generations. Kim, Ghadiyaram. arXiv:2501.19066. github.com/kim-dahye/steerers
// Published layout: final/state_dict.pth + final/config.json (the sparse autoencoder) beside text_encoder/ of Stable Diffusion. Deviations: none; one text encoder.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Encoders;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.ConceptSteerers;

/// <summary>Keys of the sparse autoencoder's config.json.</summary>
public sealed record SparseAutoencoderConfig
{
    /// <summary>Number of directions.</summary>
    [Range(1, 10_000_000)] public int NDirsLocal { get; init; } = 3072;
    /// <summary>Width of the activations.</summary>
    [Range(1, 65536)] public int DModel { get; init; } = 768;
    /// <summary>Directions that an activation may use.</summary>
    [Range(1, 65536)] public int K { get; init; } = 32;
}

/// <summary>The autoencoder of activations (section 3.1), after Gao et al., arXiv:2406.04093.</summary>
internal static class SparseAutoencoder
{
    /// <summary>How much of each direction is in an activation, before anything is cut. x (N, D) -> (N, directions).</summary>
    public static Value PreActivation(Scope sae, Value x, SparseAutoencoderConfig config) =>
        sae["encoder"].Linear(x - sae.Weight("pre_bias", config.DModel), config.NDirsLocal, bias: false) + sae.Weight("latent_bias", config.NDirsLocal);

    /// <summary>The k largest of a row, the rest 0; negative ones become 0, too. (N, directions) -> (N, directions), and their indices (N, k), ascending.</summary>
    public static (Value Latents, Value Active) KeepLargest(Value preActivation, long k)
    {
        var (values, indices) = preActivation.TopK(k);
        var zeros = preActivation.Graph.Scalar(preActivation.Type, 0).Expand([.. preActivation.Shape]);
        return (zeros.ScatterElements(indices, values.Relu(), 1), indices.TopK(k, largest: false).Values);
    }

    /// <summary>Directions weighted by a code. (N, directions) -> (N, D), without the bias.</summary>
    public static Value Directions(Scope sae, Value latents, SparseAutoencoderConfig config) => sae["decoder"].Linear(latents, config.DModel, bias: false);

    /// <summary>An activation from its code.</summary>
    public static Value Decode(Scope sae, Value latents, SparseAutoencoderConfig config) => Directions(sae, latents, config) + sae.Weight("pre_bias", config.DModel);
}

/// <summary>A text encoder steered towards or away from a concept.</summary>
public static class ConceptSteerersModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/concept-steerers",
            Paper = "Concept Steerers: Leveraging K-Sparse Autoencoders for Controllable Generations",
            ArXiv = "2501.19066",
            Authors = ["Dahye Kim", "Deepti Ghadiyaram"],
            Repository = "kim-dahye/steerers",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: final/state_dict.pth + final/config.json, beside text_encoder/ and the rest of a Stable Diffusion pipeline"],
            Sizes = [new("kim-dahye/steerers: SD 1.4, 4 times 768", 4_722_432, [])],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var (folder, pipeline) = (source.RequireFolder(), new PipelineFolder(source));
        var (sae, clip) = (PublishedConfig.Read<SparseAutoencoderConfig>(Path.Combine(folder, "final")).Value, PublishedConfig.Read<ClipTextConfig>(Path.Combine(folder, "text_encoder")).Value);
        return Weights.Guarded(Checkpoint.Open(Path.Combine(folder, "final", "state_dict.pth"), "state_dict"), autoencoder =>
        {
            var text = Checkpoint.Open(Path.Combine(folder, "text_encoder"));
            var calls = new ConceptSteerersCalls(NetworkContext.Of(source, autoencoder), NetworkContext.Of(source, ClipPrompts.Names.Apply(text)) with { Stages = false }, sae, clip);
            if (pipeline.Find("unet") is not { } denoiser) return PublishedModel.Generating([autoencoder, text], [calls], calls.CallAsync, null);
            var weights = Checkpoint.Open(denoiser);
            var unet = new UNet.UNet(NetworkContext.Of(source, weights) with { Stages = false }, PublishedConfig.Read<UNetConfig>(denoiser).Value);
            var generator = StableDiffusion.Over<SteeredOptions>(pipeline, unet.Config, _ => StableDiffusion.Denoiser(unet), (words, run, prompt, avoided, token) => calls.SteerAsync(words, run.Options, prompt, avoided, token))?.Open(pipeline);
            return PublishedModel.Generating([autoencoder, text, weights], [calls, unet], calls.CallAsync, generator);
        });
    }
}

/// <summary>The calls of the authors' code.</summary>
internal sealed class ConceptSteerersCalls : IDisposable
{
    private readonly Network _autoencoder;
    private readonly NetworkCache<int> _encoders;
    private readonly ClipTextConfig _clip;

    /// <summary>Builds the autoencoder; text encoders are built for the layer that is steered.</summary>
    public ConceptSteerersCalls(NetworkContext autoencoder, NetworkContext text, SparseAutoencoderConfig sae, ClipTextConfig clip)
    {
        _clip = clip;
        _autoencoder = Network.Build(autoencoder, "sparse autoencoder", scope => Declare(scope, sae));
        _encoders = new(layer => Network.Build(text, "text encoder", scope => Declare(scope, clip, layer)));
    }

    /// <summary>Runs a call.</summary>
    public async Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "sae_encode" or "sae_decode" => (await EncodeAsync(arguments.Tensor<float>("x"), cancel).ConfigureAwait(false)).ToResults(),
        "steer" => await SteerAsync(arguments, cancel).ConfigureAwait(false),
        _ => throw Calls.Unknown(call, "sae_encode, sae_decode, steer"),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _autoencoder.Dispose();
        _encoders.Dispose();
    }

    /// <summary>A text's states, steered: towards the concept for what is asked for, away from it for what is avoided. (1, N, D).</summary>
    public async Task<Tensor<float>> SteerAsync(ClipPrompts words, SteeredOptions options, string prompt, bool avoided, CancellationToken cancel)
    {
        var layer = options.Layer ?? Math.Max(0, (int)_clip.NumHiddenLayers - 2);
        if (layer >= _clip.NumHiddenLayers) throw new OptionsException(ErrorCodes.OptionRange, "The text encoder has fewer layers.") { Where = "layer", Expected = $"0 to {_clip.NumHiddenLayers - 1}", Found = $"{layer}" };
        var (_, _, feature) = await FeatureAsync(words.Ids(options.Concept), layer, (float)options.Strength, cancel).ConfigureAwait(false);
        return (await TextAsync(layer, words.Ids(prompt), avoided ? Batch.AddScaled(Tensor.Zeros<float>(feature.Shape), -1, feature) : feature, cancel).ConfigureAwait(false))["states"];
    }

    // The concept's directions are added to the layer's output for the prompt and taken from it for the negative prompt.
    private async Task<CallResults> SteerAsync(CallArguments arguments, CancellationToken cancel)
    {
        var layer = arguments.Literal<int>("layer");
        var (activation, code, feature) = await FeatureAsync(arguments.Tensor<long>("steer_input_ids"), layer, arguments.Literal<float>("strength"), cancel).ConfigureAwait(false);
        var prompt = (await TextAsync(layer, arguments.Tensor<long>("prompt_input_ids"), feature, cancel).ConfigureAwait(false))["states"];
        var negative = (await TextAsync(layer, arguments.Tensor<long>("negative_input_ids"), Batch.AddScaled(Tensor.Zeros<float>(feature.Shape), -1, feature), cancel).ConfigureAwait(false))["states"];
        // Cases name the prompt of a run that does not steer by itself.
        return new CallResults().Add("concept_activation", activation).Add("concept_code", code).Add("steering_feature", feature)
            .Add("prompt_embeds", prompt).Add("prompt_embeds_unsteered", prompt).Add("negative_prompt_embeds", negative);
    }

    // What a layer gives for the concept, its code, and the code's directions: (N, D).
    private async Task<(Tensor<float> Activation, Tensor<float> Code, Tensor<float> Feature)> FeatureAsync(Tensor<long> concept, int layer, float strength, CancellationToken cancel)
    {
        var nothing = Tensor.Zeros<float>(concept.Shape[1], _clip.HiddenSize);
        var activation = (await TextAsync(layer, concept, nothing, cancel).ConfigureAwait(false))["activation"].Reshape(nothing.Shape);
        var code = await EncodeAsync(activation, cancel).ConfigureAwait(false);
        return (activation, code["latents_without_topk"], Batch.AddScaled(nothing, strength, code["directions_without_topk"]));
    }

    private Task<NetworkOutputs> TextAsync(int layer, Tensor<long> ids, Tensor<float> steering, CancellationToken cancel) =>
        _encoders[layer].RunAsync(cancel, ("input_ids", ids), ("steering", steering));

    private Task<NetworkOutputs> EncodeAsync(Tensor<float> x, CancellationToken cancel) => _autoencoder.RunAsync(cancel, ("x", x));

    /// <summary>The sparse autoencoder.</summary>
    internal static void Declare(Scope sae, SparseAutoencoderConfig config)
    {
        var g = sae.Graph;
        var code = SparseAutoencoder.PreActivation(sae, g.Input("x", [Dim.Symbol("rows"), config.DModel]), config);
        var (latents, active) = SparseAutoencoder.KeepLargest(code, config.K);
        g.Output("active_indices", active);
        g.Output("latents", latents);
        g.Output("reconstruction", SparseAutoencoder.Decode(sae, latents, config));
        g.Output("latents_without_topk", code.Relu());
        g.Output("directions_without_topk", SparseAutoencoder.Directions(sae, code.Relu(), config));
    }

    // steering (N, D) is added to what the layer gives; its output before that is the activation.
    private static void Declare(Scope clip, ClipTextConfig config, int layer)
    {
        var (g, batch, tokens) = (clip.Graph, Dim.Symbol("batch"), Dim.Symbol("tokens"));
        var (ids, steering, text) = (g.Input("input_ids", ElementType.Int64, [batch, tokens]), g.Input("steering", [tokens, config.HiddenSize]), clip["text_model"]);
        var words = text["embeddings.token_embedding"].Embedding(ids, config.VocabSize, config.HiddenSize);
        g.Output("states", ClipText.EncodeEmbeddings(text, words, ClipText.EndOfText(ids, config), config, after: Steer).LastHiddenState);

        Value Steer(int i, Value h)
        {
            if (i != layer) return h;
            g.Output("activation", h);
            return h + steering;
        }
    }
}
