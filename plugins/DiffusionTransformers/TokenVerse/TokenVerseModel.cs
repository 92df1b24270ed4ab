// TokenVerse: Versatile Multi-concept Personalization in Token Modulation Space. Garibi, Yadin, Paiss, Tov, Zada, Ephrat, Michaeli, Mosseri, Dekel. arXiv:2501.12224. No public code.
// Layout (by specification): diffusers FluxTransformer2DModel and, beside it, one concept_*.safetensors for each concept: concept_mod.0, concept_mod.2, block_offsets. Deviations: none from the specification.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.TokenVerse;

/// <summary>A learned concept: a direction in the modulation space for a word, and one more for each block.</summary>
/// <param name="Direction">The direction of a word's pooled embedding (P): (D).</param>
/// <param name="BlockOffsets">(blocks, D).</param>
internal sealed record Concept(Func<Tensor<float>, float[]> Direction, float[] BlockOffsets)
{
    /// <summary>Reads a concept's file.</summary>
    public static Concept Read(Checkpoint file)
    {
        WeightData Data(string name) => WeightConversion.ToFloat32(file.Get(name));
        var (first, firstBias, second, secondBias) = (Data("concept_mod.0.weight"), Data("concept_mod.0.bias"), Data("concept_mod.2.weight"), Data("concept_mod.2.bias"));
        return new(word => Map(second, secondBias, [.. Map(first, firstBias, word.Span).Select(x => x / (1 + MathF.Exp(-x)))]), Data("block_offsets").Span<float>().ToArray());
    }

    private static float[] Map(WeightData weight, WeightData bias, ReadOnlySpan<float> x)
    {
        var result = bias.Span<float>().ToArray();
        for (var i = 0; i < result.Length; i++) result[i] += System.Numerics.Tensors.TensorPrimitives.Dot(weight.Span<float>().Slice(i * x.Length, x.Length), x);
        return result;
    }
}

/// <summary>FLUX.1 whose words each have their own modulation.</summary>
public static class TokenVerseModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/tokenverse",
            Paper = "TokenVerse: Versatile Multi-concept Personalization in Token Modulation Space",
            ArXiv = "2501.12224",
            Authors = ["Daniel Garibi", "Shahar Yadin", "Roni Paiss", "Omer Tov", "Shiran Zada", "Ariel Ephrat", "Tomer Michaeli", "Inbar Mosseri", "Tali Dekel"],
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: FluxTransformer2DModel + concept_*.safetensors"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<FluxConfig>(source.RequireFolder()).Value;
        var files = Weights.Companions(source, "concept_*.safetensors");
        var concepts = files.Select(Concept.Read).ToList();
        return Weights.Guarded(Weights.Base(source), checkpoint =>
        {
            var context = NetworkContext.Of(source, checkpoint);
            var (stock, steered) = (new FluxTransformer(context with { Stages = false }, config), new FluxTransformer(context, config, Steer));
            var calls = new TokenVerseCalls(stock, steered, config, concepts);
            return new([checkpoint, .. files], [stock, steered], calls.CallAsync);
        });

        // offsets (blocks, M, D), the same for every picture of a batch.
        FluxHooks Steer(Scope scope)
        {
            var offsets = scope.Graph.Input("offsets", [config.NumLayers + config.NumSingleLayers, Dim.Symbol("words"), config.Width]);
            return new() { TextOffset = block => offsets.At(0, block).Unsqueeze(0) };
        }
    }
}

/// <summary>The calls of the specification.</summary>
internal sealed class TokenVerseCalls(FluxTransformer stock, FluxTransformer steered, FluxConfig config, IReadOnlyList<Concept> concepts)
{
    /// <summary>Runs a call.</summary>
    public async Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel)
    {
        var results = new CallResults();
        var offsets = Offsets(arguments, results);
        switch (call)
        {
            case "forward":
                var plain = await stock.ForwardAsync(arguments, cancel).ConfigureAwait(false);
                return results.Add("stock_velocity", plain.Tensor("velocity")).Add("offsets_block_0", offsets.Slice(0).Reshape(1, offsets.Shape[1], offsets.Shape[2]))
                    .AddRange(await steered.ForwardAsync(arguments, cancel, ("offsets", offsets)).ConfigureAwait(false));
            case "sample":
                var (x, sigmas) = (arguments.Tensor<float>("noise"), arguments.Tensor<float>("sigmas"));
                for (var i = 0; i + 1 < sigmas.Length; i++)
                {
                    var step = await steered.ForwardAsync(arguments, x, Batch.Filled(x.Shape[0], sigmas.Span[i]), cancel, ("offsets", offsets)).ConfigureAwait(false);
                    x = Batch.AddScaled(x, sigmas.Span[i + 1] - sigmas.Span[i], (Tensor<float>)step.Tensor("velocity"));
                }

                return results.Add("latent", x);
            default:
                throw Calls.Unknown(call, "forward, sample");
        }
    }

    // strength (direction + block offset) at each position of each concept: (blocks, M, D).
    private Tensor<float> Offsets(CallArguments arguments, CallResults results)
    {
        var (blocks, width) = (config.NumLayers + config.NumSingleLayers, config.Width);
        var offsets = Tensor.Zeros<float>(blocks, arguments.Tensor("encoder_hidden_states").Shape[1], width);
        for (var k = 0; k < concepts.Count; k++)
        {
            if (!arguments.Has($"word_embedding_{k}")) continue;
            var direction = concepts[k].Direction(arguments.Tensor<float>($"word_embedding_{k}"));
            results.Add($"direction_{k}", Tensor.Create(direction, width));
            var strength = arguments.Literal($"strength_{k}", 1f);
            foreach (var position in arguments.Literal<int[]>($"positions_{k}"))
            {
                for (var block = 0; block < blocks; block++)
                {
                    for (var d = 0; d < width; d++) offsets[block, position, d] += strength * (direction[d] + concepts[k].BlockOffsets[block * width + d]);
                }
            }
        }

        return offsets;
    }
}
