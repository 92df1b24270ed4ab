using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The networks of a model, and what is done between them.</summary>
internal sealed class HatNetworks : IDisposable
{
    private readonly Network[] _networks;

    /// <summary>Builds them.</summary>
    public HatNetworks(NetworkContext context, HatConfig config)
    {
        _networks = [.. HatNetwork.Parts(config).Select((build, part) => Network.Build(context, $"hat part {part}", build, independentRows: true))];
        (Encoder, Backbone, Decoder) = (new(_networks[0]), new(_networks[2]), new(_networks[3]));
        FirstWord = Word(context, config.BackboneConfig.HiddenSize);
    }

    /// <summary>From bytes to states.</summary>
    public StatefulNetwork Encoder { get; }

    /// <summary>Over words.</summary>
    public StatefulNetwork Backbone { get; }

    /// <summary>From states and words to bytes.</summary>
    public StatefulNetwork Decoder { get; }

    /// <summary>What bytes of the first word see in place of the words before, (1, 1, D).</summary>
    public Tensor<float> FirstWord { get; }

    /// <summary>The networks.</summary>
    public IEnumerable<Network> All => _networks;

    /// <summary>Embeddings of words, (1, W, D).</summary>
    /// <param name="bytes">The encoder's states of their bytes, one after the other, (1, L, D).</param>
    /// <param name="lengths">Bytes of each; together L or fewer.</param>
    /// <param name="firstByte">Place of the first byte in the text.</param>
    /// <param name="firstWord">Place of the first word in the text.</param>
    /// <param name="cancel">Gives it up.</param>
    public async Task<Tensor<float>> ConnectAsync(Tensor<float> bytes, IReadOnlyList<int> lengths, long firstByte, long firstWord, CancellationToken cancel)
    {
        var (count, longest, width, place) = (lengths.Count, lengths.Max(), (int)bytes.Shape[2], 0);
        var (states, mask, bytePlaces, wordPlaces) = (Tensor.Zeros<float>(count, longest, width), Tensor.Zeros<float>(count, longest), Tensor.Zeros<long>(count, longest), Tensor.Zeros<long>(count));
        for (var word = 0; word < count; word++)
        {
            bytes.Span.Slice(place * width, lengths[word] * width).CopyTo(states.Slice(word).Span);
            mask.Slice(word).Span[..lengths[word]].Fill(1);
            for (var i = 0; i < lengths[word]; i++) bytePlaces[word, i] = firstByte + place++;
            wordPlaces[word] = firstWord + word;
        }

        var outputs = await _networks[1].RunAsync(cancel, ("hidden_states", states), ("mask", mask), ("byte_position_ids", bytePlaces), ("word_position_ids", wordPlaces)).ConfigureAwait(false);
        return outputs["words"].Reshape(1, count, outputs["words"].Shape[1]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var network in _networks) network.Dispose();
    }

    private static Tensor<float> Word(NetworkContext context, int width)
    {
        const string name = "decoder_connector.first_word_embedding";
        if (context.Weights.Find(name) is not { } word) throw new CheckpointException(ErrorCodes.CheckpointTensorMissing, "The checkpoint lacks a tensor.") { Where = $"{context.Weights.Origin}: {name}" };
        if (word.Count != width) throw new CheckpointException(ErrorCodes.CheckpointTensorShape, "A tensor has another shape.") { Where = $"{context.Weights.Origin}: {name}", Expected = $"[1, 1, {width}]", Found = $"{word}" };
        return Tensor.Create(WeightConversion.ToFloat32(word).Span<float>().ToArray(), 1, 1, width);
    }
}
