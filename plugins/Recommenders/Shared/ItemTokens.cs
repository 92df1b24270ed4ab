using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Item embeddings as media, their codes as tokens.</summary>
internal static class ItemTokens
{
    private const string Name = "item_embeddings", Unnamed = "array";

    /// <summary>The embeddings (items, width) of named tensors; the array of an <c>.npy</c> file has no name of its own.</summary>
    /// <exception cref="MediaException">They are not among them, or not finite.</exception>
    public static Tensor<float> Embeddings(NamedTensors media, int width)
    {
        var embeddings = (media.Values.GetValueOrDefault(Name) ?? media.Values.GetValueOrDefault(Unnamed))?.ToSingle();
        if (embeddings is not { Rank: 2, Length: > 0 } || embeddings.Shape[1] != width)
            throw new MediaException(ErrorCodes.MediaUnsupported, $"The tokenizer takes a tensor '{Name}', or the array of an .npy file.") { Expected = $"{Name}, Float32[items, {width}]", Found = string.Join(", ", media.Values.Select(pair => $"{pair.Key}: {pair.Value}")) };
        return TensorPrimitives.IsFiniteAll<float>(embeddings.Span) ? embeddings
            : throw new MediaException(ErrorCodes.MediaMalformed, "The embeddings have numbers that are not finite.") { Where = $"item {Array.FindIndex(embeddings.Span.ToArray(), number => !float.IsFinite(number)) / width}" };
    }

    /// <summary>Codes (items, levels) as tokens.</summary>
    public static Tokens Of(TokenSpace space, Tensor<long> codes) => new(space, Tensor.Create(Array.ConvertAll(codes.Span.ToArray(), code => (int)code), codes.Shape)) { SourceLength = codes.Shape[0] };

    /// <summary>Tokens as codes (items, levels).</summary>
    /// <exception cref="MediaException">They are another tokenizer's.</exception>
    public static Tensor<long> Codes(TokenSpace space, Tokens tokens)
    {
        tokens.Expect(space);
        return Tensor.Create(Array.ConvertAll(tokens.Ids.Span.ToArray(), id => (long)id), tokens.Ids.Shape);
    }

    /// <summary>Embeddings as media.</summary>
    public static NamedTensors Media(Tensor<float> embeddings) => new(new Dictionary<string, Tensor> { [Name] = embeddings });
}
