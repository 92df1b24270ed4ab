using Microsoft.Extensions.AI;
using ModelZoo.Contracts;

namespace ModelZoo.Extensions.AI;

/// <summary>A model that generates tensors from text, as a generator of vectors.</summary>
internal sealed class ModelEmbeddingGenerator(IModel model, IGenerate generator, string? modelId) : ModelClient(model, modelId, new EmbeddingGeneratorMetadata("modelzoo", defaultModelId: modelId)), IEmbeddingGenerator<string, Embedding<float>>
{
    // Calls that reach one network at once run together; more at a time than a network takes gains nothing.
    private const int AtOnce = 8;

    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        string[] texts = [.. values];
        var call = new ModelCall(generator.GenerateOptions);
        RequireModel(options?.ModelId);
        call.Set(options?.Dimensions, "dimensions");
        call.SetAll(options?.AdditionalProperties);
        var bound = call.Bind();
        var vectors = new Embedding<float>[texts.Length];
        await Parallel.ForEachAsync(Enumerable.Range(0, texts.Length), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (i, stop) => vectors[i] = Vector(await ModelCall.ResultAsync(generator, new(texts[i]), bound, call.Seed, stop).ConfigureAwait(false))).ConfigureAwait(false);
        return new(vectors) { Usage = await TokenUsage.CountAsync(Model, texts, null, cancellationToken).ConfigureAwait(false) };
    }

    private Embedding<float> Vector(Media result)
    {
        var tensors = result.Expect<NamedTensors>().Values;
        if (!tensors.TryGetValue("embedding", out var tensor) || tensor is not Tensor<float> vector)
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "The model gives no embedding.") { Expected = "a float tensor named 'embedding'", Found = string.Join(", ", tensors.Keys) };
        return new(vector.Span.ToArray()) { ModelId = ModelId };
    }
}
