using System.Text.Json.Nodes;
using ModelZoo.Inference;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Networks.Tests.Encoders;

public sealed class T5ConfigTests
{
    private static T5Config Read(string json) => PublishedConfig.Bind<T5Config>(JsonNode.Parse(json), "config.json").Value;

    [Theory]
    [InlineData("""{}""", 32128, 2048, 6, 8, "relu", true)]
    [InlineData("""{"model_type": "t5"}""", 32128, 2048, 6, 8, "relu", true)]
    [InlineData("""{"model_type": "mt5"}""", 250112, 1024, 8, 6, "gated-gelu", false)]
    [InlineData("""{"model_type": "umt5"}""", 250112, 1024, 8, 6, "gated-gelu", false)]
    [InlineData("""{"num_heads": 8, "d_ff": 2048, "feed_forward_proj": "relu", "model_type": "mt5", "vocab_size": 100, "num_layers": 6, "tie_word_embeddings": true}""", 100, 2048, 6, 8, "relu", true)]
    public void Read_KeysThatAreLeftOut_AreThoseOfTheClass(string json, long vocabulary, long hidden, int layers, long heads, string activation, bool ties)
    {
        var config = Read(json);
        Assert.Equal((512, 64, 32, 128, 1e-6), (config.DModel, config.DKv, config.RelativeAttentionNumBuckets, config.RelativeAttentionMaxDistance, config.LayerNormEpsilon));
        Assert.Equal((vocabulary, hidden, layers, heads), (config.VocabSize, config.DFf, config.NumLayers, config.NumHeads));
        Assert.Equal((activation, ties), (config.FeedForwardProj, config.TieWordEmbeddings));
    }
}
