using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.TokenCompose;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.SemanticBinding;

/// <summary>The two losses (sections 3.2 and 3.3) and their gradients, each a network of its own.</summary>
internal sealed class BindingLosses : IDisposable
{
    // The layers whose attention tells where the things are, and the most places that they are read at.
    private static readonly string[] Layers = [.. new[] { 1, 2, 3 }.Select(block => $"up_blocks.0.attentions.1.transformer_blocks.{block}.attn2")];
    private const int MostPlaces = 32 * 32;

    private readonly UNetConfig _config;
    private readonly SizedNetworks _semantic, _entropy;

    /// <summary>Prepares networks over a checkpoint.</summary>
    public BindingLosses(NetworkContext context, UNetConfig config)
    {
        _config = config;
        _semantic = new(size => Network.Build(context, "semantic binding loss", scope => DeclareSemantic(scope, config, size.Height, size.Width)));
        _entropy = new(size => Network.Build(context, "entropy loss", scope => DeclareEntropy(scope, config, size.Height, size.Width)));
    }

    /// <summary>How far one token alone is from a whole prompt. sample (1, C, H, W), token (1, 1, E), the prompt's noise (1, C, H, W) -> the gradient with respect to the token, (1, 1, E).</summary>
    public async Task<Tensor<float>> SemanticGradientAsync(Tensor<float> sample, float timestep, Tensor<float> token, Tensor<float> target, AddedConditions added, CancellationToken cancel)
    {
        var inputs = UNetInputs.Of(_config, sample, Batch.Filled(1, timestep), token, added);
        return (await _semantic.RunAsync(sample.Shape[2], sample.Shape[3], cancel, [.. inputs, ("target_noise", target)]).ConfigureAwait(false))["of_token"];
    }

    /// <summary>How spread the attention to things is, and the gradients with respect to sample (1, C, H, W) and text (1, M, E).</summary>
    /// <param name="nouns">Positions of the things in the text.</param>
    /// <param name="length">Words of the prompt, which stand at 1 up to it.</param>
    /// <param name="resolution">Height and width of the attention's maps.</param>
    /// <exception cref="ModelZooException">No map that is read has this resolution.</exception>
    public async Task<(float Loss, Tensor<float> OfSample, Tensor<float> OfText)> EntropyAsync(
        Tensor<float> sample, float timestep, Tensor<float> text, IReadOnlyList<int> nouns, int length, int resolution, AddedConditions added, CancellationToken cancel)
    {
        var places = Places(sample.Shape[2], sample.Shape[3]);
        if (places != resolution * resolution || places > MostPlaces) throw new ModelZooException(ErrorCodes.VerbUnsupported, "No map of attention has this resolution.") { Where = "attention_res", Expected = $"{places} places, at most {MostPlaces}" };
        var inputs = UNetInputs.Of(_config, sample, Batch.Filled(1, timestep), text, added);
        var words = Tensor.Create<long>([.. Enumerable.Range(1, length).Select(position => (long)position)], length);
        var things = Tensor.Create<long>([.. nouns.Select(position => position - 1L)], nouns.Count);
        var outputs = await _entropy.RunAsync(sample.Shape[2], sample.Shape[3], cancel, [.. inputs, ("words", words), ("things", things)]).ConfigureAwait(false);
        return (outputs["loss"].Span[0], outputs["of_sample"], outputs["of_text"]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _semantic.Dispose();
        _entropy.Dispose();
    }

    /// <summary>Places of the maps of a sample's size.</summary>
    public long Places(long height, long width) => Deepest(height) * Deepest(width);

    // Each level but the last halves the picture, rounding up.
    private long Deepest(long extent)
    {
        var halvings = _config.BlockOutChannels.Length - 1;
        return (extent + (1L << halvings) - 1) >> halvings;
    }

    private static void DeclareSemantic(Scope scope, UNetConfig config, long height, long width)
    {
        var inputs = UNetInputs.Declare(scope.Graph, config, height, width);
        var noise = inputs.Predict(scope, config, hooks: null);                                                              // (1, C, H, W)
        var loss = (noise - scope.Graph.Input("target_noise", noise.Shape)).Square().Reduce("ReduceMean", [0, 1, 2, 3], keep: false);
        scope.Graph.Output("of_token", Gradients.Of(loss, inputs.Text)[0]);
    }

    private static void DeclareEntropy(Scope scope, UNetConfig config, long height, long width)
    {
        var (g, maps) = (scope.Graph, new List<Value>());
        var inputs = UNetInputs.Declare(g, config, height, width);
        inputs.Predict(scope, config, new() { Attention = Read });
        if (maps.Count == 0) throw new ModelZooException(ErrorCodes.VerbUnsupported, "The network has none of the layers whose attention is read.") { Where = Layers[0] };
        var loss = Entropy(ValueShape.Concat(1, [.. maps]).Mean(1), g.Input("words", ElementType.Int64, [Dim.Symbol("words")]), g.Input("things", ElementType.Int64, [Dim.Symbol("things")]));
        var gradients = Gradients.Of(loss, inputs.Sample, inputs.Text);
        g.Output("loss", loss.Reshape(1));
        g.Output("of_sample", gradients[0]);
        g.Output("of_text", gradients[1]);

        Value Read(Scope attn, Value x, Value? text, long heads)
        {
            if (text is null || !Layers.Contains(attn.Path)) return attn.DiffusersAttention(x, heads, text);
            var (output, map) = AttentionMaps.Attend(attn, x, text, heads);
            maps.Add(map);
            return output;
        }
    }

    // Words compete for places; each thing's map, from 0 to 1, is then a distribution over places.
    private static Value Entropy(Value map, Value words, Value things)
    {
        var p = (map.Gather(words, 2) / 0.5).Softmax().Gather(things, 2);                                                    // (1, N, things)
        var least = p.MinOver(1, keep: true);
        p = (p - least) / (p.MaxOver(1, keep: true) - least);
        p /= p.Sum(1, keep: true);
        return (p * (p + 1e-5).Log()).Reduce("ReduceSum", [0, 1, 2], keep: false) * -2;
    }
}
