using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Item embeddings as media, their codes as tokens.</summary>
internal static class ItemTokens
{
    private const string Name = "item_embeddings";

    /// <summary>The embeddings (items, width) of named tensors.</summary>
    /// <exception cref="MediaException">They are not among them.</exception>
    public static Tensor<float> Embeddings(NamedTensors media, int width) => media.Values.GetValueOrDefault(Name) is Tensor<float> { Rank: 2 } embeddings && embeddings.Shape[1] == width ? embeddings
        : throw new MediaException(ErrorCodes.MediaUnsupported, $"The tokenizer takes a tensor '{Name}'.") { Expected = $"{Name}, Float32[items, {width}]", Found = string.Join(", ", media.Values.Select(pair => $"{pair.Key}: {pair.Value}")) };

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
