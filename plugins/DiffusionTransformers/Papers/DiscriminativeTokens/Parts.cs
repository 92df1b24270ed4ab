using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Encoders;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.DiscriminativeTokens;

/// <summary>The published <c>config.json</c> of a vision transformer that classifies (An Image is Worth 16x16 Words, arXiv:2010.11929).</summary>
public sealed record VitConfig
{
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 768;
    /// <summary>Number of layers.</summary>
    [Range(0, 1024)] public int NumHiddenLayers { get; init; } = 12;
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 12;
    /// <summary>Width of the feed-forward network.</summary>
    [Range(1, 262144)] public int IntermediateSize { get; init; } = 3072;
    /// <summary>Activation of the feed-forward network.</summary>
    public string HiddenAct { get; init; } = "gelu";
    /// <summary>Epsilon of the layer norms.</summary>
    public double LayerNormEps { get; init; } = 1e-12;
    /// <summary>Height and width of pictures.</summary>
    [Range(1, 8192)] public int ImageSize { get; init; } = 224;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 16;
    /// <summary>Whether queries, keys and values have biases.</summary>
    public bool QkvBias { get; init; } = true;
}

/// <summary>The text encoder, one of whose words is the learned one: the last of its table.</summary>
internal sealed class TokenEncoder : IDisposable
{
    private readonly Network _forward, _backward;
    private readonly ClipTextConfig _config;

    /// <summary>Builds it with the learned word's embedding (D).</summary>
    public TokenEncoder(NetworkContext context, ClipTextConfig config, WeightData token)
    {
        _config = config;
        _forward = Network.Build(context, "text encoder", scope => Declare(scope, config, token, back: false));
        _backward = Network.Build(context, "text encoder, back", scope => Declare(scope, config, token, back: true));
    }

    /// <summary>States of a text. ids (B, N) -> (B, N, D).</summary>
    public async Task<Tensor<float>> EncodeAsync(Tensor<long> ids, CancellationToken cancel) => (await _forward.RunAsync(cancel, ("input_ids", ids)).ConfigureAwait(false))["states"];

    /// <summary>The gradient with respect to the learned word, from that with respect to the states (B, N, D): (D).</summary>
    public async Task<Tensor<float>> BackwardAsync(Tensor<long> ids, Tensor<float> ofStates, CancellationToken cancel)
    {
        var ofWords = (await _backward.RunAsync(cancel, ("input_ids", ids), ("of_states", ofStates)).ConfigureAwait(false))["of_words"];
        var (width, sum) = ((int)_config.HiddenSize, Tensor.Zeros<float>(_config.HiddenSize));
        for (var place = 0; place < ids.Length; place++)
        {
            if (ids.Span[place] == _config.VocabSize - 1) System.Numerics.Tensors.TensorPrimitives.Add(sum.Span, ofWords.Span.Slice(place * width, width), sum.Span);
        }

        return sum;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _forward.Dispose();
        _backward.Dispose();
    }

    private static void Declare(Scope clip, ClipTextConfig config, WeightData token, bool back)
    {
        var (g, text) = (clip.Graph, clip["text_model"]);
        var ids = g.Input("input_ids", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("tokens")]);
        var learned = ids.Same(g.Constant([config.VocabSize - 1])).Unsqueeze(2);
        var words = learned.Where(g.Weight("token", token.Reshape(1, 1, config.HiddenSize), "token"), text["embeddings.token_embedding"].Embedding(ids, config.VocabSize, config.HiddenSize));
        var encoded = ClipText.EncodeEmbeddings(text, words, ClipText.EndOfText(ids, config), config).LastHiddenState;
        if (back) g.Output("of_words", Gradients.Of([(encoded, g.Input("of_states", encoded.Shape))], words)[0]);
        else g.Output("states", encoded);
    }
}

/// <summary>Noise, guided, and what gradients of it do to the sample and the text.</summary>
internal sealed class GuidedNoise : IDisposable
{
    private readonly UNet.UNet _unet;
    private readonly SizedNetworks _backward;

    /// <summary>Prepares networks over a checkpoint.</summary>
    public GuidedNoise(NetworkContext context, UNetConfig config)
    {
        _unet = new(context, config);
        _backward = new(size => Network.Build(context, "unet, back", scope => Declare(scope, config, size.Height, size.Width)));
    }

    /// <summary>Noise of a doubled sample, unguided.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> sample, float time, Tensor<float> text, CancellationToken cancel) => (await _unet.RunAsync(sample, Batch.Filled(1, time), text, null, cancel).ConfigureAwait(false))["noise"];

    /// <summary>Gradients with respect to the sample (B, C, H, W) and the text (2B, M, E), from that with respect to the guided noise.</summary>
    public async Task<(Tensor<float> Sample, Tensor<float> Text)> BackwardAsync(Tensor<float> sample, float time, Tensor<float> text, double scale, Tensor<float> ofNoise, CancellationToken cancel)
    {
        // The guided noise is (1 - scale) of what is avoided and scale of what is asked for.
        var zeros = Tensor.Zeros<float>(ofNoise.Shape);
        var seed = Batch.Concat(Batch.AddScaled(zeros, (float)(1 - scale), ofNoise), Batch.AddScaled(zeros, (float)scale, ofNoise));
        var outputs = await _backward.RunAsync(sample.Shape[2], sample.Shape[3], cancel, ("sample", Batch.Doubled(sample)), ("timestep", Batch.Filled(2 * sample.Shape[0], time)), ("encoder_hidden_states", text), ("of_noise", seed)).ConfigureAwait(false);
        var both = outputs["of_sample"];
        return (Batch.AddScaled(Batch.FirstHalf(both), 1, Batch.SecondHalf(both)), outputs["of_text"]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _unet.Dispose();
        _backward.Dispose();
    }

    private static void Declare(Scope scope, UNetConfig config, long height, long width)
    {
        var (g, batch) = (scope.Graph, Dim.Symbol("batch"));
        var (sample, text) = (g.Input("sample", [batch, config.InChannels, height, width]), g.Input("encoder_hidden_states", [batch, Dim.Symbol("tokens"), config.TextWidth]));
        var noise = UNetNetwork.Build(scope, sample, g.Input("timestep", [batch]), text, config);
        var gradients = Gradients.Of([(noise, g.Input("of_noise", noise.Shape))], sample, text);
        g.Output("of_sample", gradients[0]);
        g.Output("of_text", gradients[1]);
    }
}

/// <summary>What the classifier says of a latent, and how the latent should change for it.</summary>
internal sealed class PictureJudge : IDisposable
{
    private readonly SizedNetworks _pictures, _ofLatent;
    private readonly Network _classifier;

    /// <summary>Prepares the autoencoder and the classifier.</summary>
    public PictureJudge(NetworkContext autoencoder, AutoencoderKlConfig vae, NetworkContext classifier, VitConfig vit)
    {
        var batch = Dim.Symbol("batch");
        Value Picture(Scope scope, Value latent) => (AutoencoderKl.Decode(scope, AutoencoderKl.Denormalize(latent, vae), vae) / 2 + 0.5).Clip(0, 1);
        Value Latent(Scope scope, (long Height, long Width) size) => scope.Graph.Input("latent", [batch, vae.LatentChannels, size.Height, size.Width]);
        _pictures = new(size => Network.Build(autoencoder, "vae decoder", scope => scope.Graph.Output("picture", Picture(scope, Latent(scope, size)))));
        _ofLatent = new(size => Network.Build(autoencoder, "vae decoder, back", scope =>
        {
            var latent = Latent(scope, size);
            var picture = Picture(scope, latent);
            scope.Graph.Output("of_latent", Gradients.Of([(picture, scope.Graph.Input("of_picture", picture.Shape))], latent)[0]);
        }));
        _classifier = Network.Build(classifier, "classifier", scope =>
        {
            var (g, size) = (scope.Graph, vit.ImageSize);
            var (picture, label) = (g.Input("picture", [batch, 3, size, size]), g.Input("label", ElementType.Int64, [batch]));
            var logits = Classify(scope, (picture - 0.5) / 0.5, vit);
            var loss = -logits.LogSoftmax().GatherElements(label.Unsqueeze(1), 1).Mean(0);
            g.Output("logits", logits);
            g.Output("loss", loss);
            g.Output("of_picture", Gradients.Of(loss, picture)[0]);
        });
    }

    /// <summary>The picture of a latent, (B, 3, H, W) in 0..1.</summary>
    public async Task<Tensor<float>> DecodeAsync(Tensor<float> latent, CancellationToken cancel) => (await _pictures.RunAsync(latent.Shape[2], latent.Shape[3], cancel, ("latent", latent)).ConfigureAwait(false))["picture"];

    /// <summary>Scores of all classes, the cross-entropy of one, and its gradient with respect to the latent.</summary>
    public async Task<(Tensor<float> Logits, Tensor<float> Loss, Tensor<float> Gradient)> JudgeAsync(Tensor<float> latent, long label, CancellationToken cancel)
    {
        var picture = await DecodeAsync(latent, cancel).ConfigureAwait(false);
        var judged = await _classifier.RunAsync(cancel, ("picture", picture), ("label", Tensor.Create<long>([.. Enumerable.Repeat(label, (int)latent.Shape[0])], latent.Shape[0]))).ConfigureAwait(false);
        var back = await _ofLatent.RunAsync(latent.Shape[2], latent.Shape[3], cancel, ("latent", latent), ("of_picture", judged["of_picture"])).ConfigureAwait(false);
        return (judged["logits"], judged["loss"], back["of_latent"]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pictures.Dispose();
        _ofLatent.Dispose();
        _classifier.Dispose();
    }

    // x (B, 3, H, W) -> scores of the classes (B, classes).
    private static Value Classify(Scope model, Value x, VitConfig config)
    {
        var (vit, width, heads) = (model["vit"], (long)config.HiddenSize, config.NumAttentionHeads);
        var patches = vit["embeddings.patch_embeddings.projection"].PatchEmbed(x, width, config.PatchSize);
        var h = ValueShape.Concat(1, vit["embeddings"].Weight("cls_token", 1, 1, width).Expand(x.Shape[0], 1, width), patches) + vit["embeddings"].Weight("position_embeddings", 1, patches.Shape[1].Size + 1, width);
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var layer = vit["encoder.layer"][i];
            var (normed, attention) = (layer["layernorm_before"].LayerNorm(h, config.LayerNormEps), layer["attention.attention"]);
            Value Map(string name) => attention[name].Linear(normed, width, config.QkvBias);
            h += layer["attention.output.dense"].Linear(AttentionLayers.Attention(Map("query"), Map("key"), Map("value"), new() { Heads = heads }), width);
            h += layer["output.dense"].Linear(Activations.Named(config.HiddenAct)(layer["intermediate.dense"].Linear(layer["layernorm_after"].LayerNorm(h, config.LayerNormEps), config.IntermediateSize)), width);
        }

        return model["classifier"].Linear(vit["layernorm"].LayerNorm(h, config.LayerNormEps).At(1, 0), model["classifier"].ShapeOf("weight")[0]);
    }
}
