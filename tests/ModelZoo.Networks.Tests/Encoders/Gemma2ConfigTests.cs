using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Networks.Tests.Encoders;

public sealed class Gemma2ConfigTests
{
    [Theory]
    [InlineData("""{ "rope_theta": 500 }""", 500)]
    [InlineData("""{ "rope_parameters": { "rope_theta": 700, "rope_type": "default" } }""", 700)]
    [InlineData("""{ "rope_scaling": null }""", 10000)]
    public void Theta_OfEitherLayout_IsRead(string json, double theta) => Assert.Equal(theta, Bind(json).Theta);

    [Theory]
    [InlineData("""{ "rope_parameters": { "rope_theta": 700, "rope_type": "linear", "factor": 2 } }""")]
    [InlineData("""{ "rope_scaling": { "type": "dynamic", "factor": 2 } }""")]
    public void Bind_StretchedFrequencies_AreRefusedByName(string json) =>
        Assert.Contains("rope", Assert.Throws<ModelZooException>(() => Bind(json)).Where, StringComparison.Ordinal);

    private static Gemma2Config Bind(string json) => PublishedConfig.Bind<Gemma2Config>(JsonNode.Parse(json), "config.json").Value;
}
