// TokenVerse: Versatile Multi-concept Personalization in Token Modulation Space. Garibi, Yadin, Paiss, Tov, Zada, Ephrat, Michaeli, Mosseri, Dekel. arXiv:2501.12224. No public code.
// Layout (by specification): diffusers FluxTransformer2DModel and, beside it, one concept_*.safetensors for each concept: concept_mod.0, concept_mod.2, block_offsets. Deviations: none from the specification.
using System.ComponentModel;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

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

/// <summary>Options of generation with concepts.</summary>
public sealed record ConceptWordsOptions : FluxOptions
{
    /// <summary>The word of each concept.</summary>
    [Description("For each concept, in the order of the files, the word of the prompt that it belongs to, as [\"dog\",\"hat\"]; empty for none.")]
    public string[] Words { get; init; } = [];

    /// <summary>How strong each concept is.</summary>
    [Description("How strong each concept is, 1 when left out.")]
    public double[] Strengths { get; init; } = [];
}

/// <summary>FLUX.1 whose words each have their own modulation.</summary>
public static class TokenVerseModel
{
    /// <summary>Name of the input that words are steered by.</summary>
    internal const string Offsets = "offsets";

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
            Layouts = ["diffusers: FluxTransformer2DModel, alone or in a pipeline's folder, + concept_*.safetensors"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(source);
        var config = PublishedConfig.Read<FluxConfig>(pipeline.Denoiser("transformer").RequireFolder()).Value;
        var files = Weights.Companions(source, "concept_*.safetensors");
        var concepts = files.Select(Concept.Read).ToList();
        return Weights.Guarded(pipeline.Base("transformer"), checkpoint =>
        {
            var context = NetworkContext.Of(source, checkpoint);
            var (stock, steered) = (new FluxTransformer(context with { Stages = false }, config), new FluxTransformer(context, config, Steer));
            var calls = new TokenVerseCalls(stock, steered, config, concepts);
            var generator = FluxPipeline.Of<ConceptWordsOptions>(pipeline, config, _ => FluxRun.Of(steered, conditions => [(Offsets, calls.Bound(conditions))]), calls.BindAsync)?.Open(pipeline);
            return PublishedModel.Generating([checkpoint, .. files], [stock, steered], calls.CallAsync, generator);
        });

        // offsets (blocks, M, D), the same for every picture of a batch.
        FluxHooks Steer(Scope scope)
        {
            var offsets = scope.Graph.Input(Offsets, [config.NumLayers + config.NumSingleLayers, Dim.Symbol("words"), config.Width]);
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
                    .AddRange(await steered.ForwardAsync(arguments, cancel, (TokenVerseModel.Offsets, offsets)).ConfigureAwait(false));
            case "sample":
                var (x, sigmas) = (arguments.Tensor<float>("noise"), arguments.Tensor<float>("sigmas"));
                for (var i = 0; i + 1 < sigmas.Length; i++)
                {
                    var step = await steered.ForwardAsync(arguments, x, Batch.Filled(x.Shape[0], sigmas.Span[i]), cancel, (TokenVerseModel.Offsets, offsets)).ConfigureAwait(false);
                    x = Batch.AddScaled(x, sigmas.Span[i + 1] - sigmas.Span[i], (Tensor<float>)step.Tensor("velocity"));
                }

                return results.Add("latent", x);
            default:
                throw Calls.Unknown(call, "forward, sample");
        }
    }

    /// <summary>Binds the concepts to words of a prompt: offsets for each of its tokens, (1, blocks, M, D).</summary>
    /// <exception cref="OptionsException">A word is not in the prompt, or there are more words than concepts.</exception>
    public async Task BindAsync(FluxEncoders encoders, TextRun<ConceptWordsOptions> run, string text, bool avoided, Conditions conditions, CancellationToken cancel)
    {
        var (options, tokens) = (run.Options, encoders.T5.Pieces.Encode(text));
        if (options.Words.Length > concepts.Count) throw new OptionsException(ErrorCodes.OptionRange, "There are fewer concepts.") { Where = "words", Expected = $"at most {concepts.Count}", Found = $"{options.Words.Length}" };
        var offsets = NoOffsets(FluxPipeline.Words(options, config));
        for (var k = 0; !avoided && k < options.Words.Length; k++)
        {
            if (options.Words[k].Length == 0) continue;
            var places = Places(tokens, encoders.T5.Pieces.Encode(options.Words[k])).Where(place => place < offsets.Shape[1]).ToArray();
            if (places.Length == 0) throw new OptionsException(ErrorCodes.OptionRange, "The prompt has no such word.") { Where = "words", Expected = $"a word of '{text}'", Found = options.Words[k] };
            var word = (await encoders.Clip.EncodeAsync(options.Words[k], cancel).ConfigureAwait(false)).Pooled;
            Add(offsets, concepts[k], concepts[k].Direction(word), places, k < options.Strengths.Length ? (float)options.Strengths[k] : 1);
        }

        conditions[TokenVerseModel.Offsets] = offsets.Reshape([1, .. offsets.Shape]);
    }

    /// <summary>The offsets of what is asked for; the network takes one prompt's for all pictures.</summary>
    public Tensor<float> Bound(Conditions conditions) => conditions[TokenVerseModel.Offsets].Slice(0);

    // Tokens of a word wherever they follow each other.
    private static IEnumerable<int> Places(List<int> tokens, List<int> word) =>
        Enumerable.Range(0, Math.Max(0, tokens.Count - word.Count + 1)).Where(start => word.Count > 0 && tokens.GetRange(start, word.Count).SequenceEqual(word)).SelectMany(start => Enumerable.Range(start, word.Count)).Distinct();

    private Tensor<float> NoOffsets(long words) => Tensor.Zeros<float>(config.NumLayers + config.NumSingleLayers, words, config.Width);

    // strength (direction + block offset) at each position.
    private static void Add(Tensor<float> offsets, Concept concept, float[] direction, IEnumerable<int> positions, float strength)
    {
        foreach (var position in positions)
        {
            for (var block = 0; block < offsets.Shape[0]; block++)
            {
                for (var d = 0; d < direction.Length; d++) offsets[block, position, d] += strength * (direction[d] + concept.BlockOffsets[block * direction.Length + d]);
            }
        }
    }

    // Of each concept that the call brings: (blocks, M, D).
    private Tensor<float> Offsets(CallArguments arguments, CallResults results)
    {
        var offsets = NoOffsets(arguments.Tensor("encoder_hidden_states").Shape[1]);
        for (var k = 0; k < concepts.Count; k++)
        {
            if (!arguments.Has($"word_embedding_{k}")) continue;
            var direction = concepts[k].Direction(arguments.Tensor<float>($"word_embedding_{k}"));
            results.Add($"direction_{k}", Tensor.Create(direction, direction.Length));
            Add(offsets, concepts[k], direction, arguments.Literal<int[]>($"positions_{k}"), arguments.Literal($"strength_{k}", 1f));
        }

        return offsets;
    }
}
