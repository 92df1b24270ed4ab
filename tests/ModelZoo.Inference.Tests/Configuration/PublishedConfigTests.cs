using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Configuration;

public sealed class PublishedConfigTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public enum Norm
    {
        LayerNorm,
        RmsNorm,
    }

    public sealed record Config
    {
        [Range(1, 64)] public int Depth { get; init; } = 12;
        [Range(1, 64)] public long LongOne { get; init; } = 1;
        public double LearningRate { get; init; } = 0.1;
        public string Name { get; init; } = "none";
        public double? Dropout { get; init; } = 0.5;
        public Norm Norm { get; init; }
        public IReadOnlyList<int> Levels { get; init; } = [];
        [JsonPropertyName("C")] public int Channels { get; init; } = 3;
        public Block Block { get; init; } = new();
        public IReadOnlyList<Block> Blocks { get; init; } = [];
    }

    public sealed record Block
    {
        [Range(1, 1024)] public int HiddenSize { get; init; } = 8;
        public bool QkNorm { get; init; }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Read_Json_BindsPublishedKeysAndReportsTheRest()
    {
        Write("config.json", """{ "depth": 6, "name": null, "dropout": null, "norm": "rms_norm", "levels": [8, 5], "C": 4, "block": { "hidden_size": 16, "qk_norm": true, "extra": 1 }, "blocks": [{ "hidden_size": 2 }], "optimizer": { "lr": 1 } }""");

        var config = PublishedConfig.Read<Config>(_folder);

        Assert.Equal((6, "none", null, Norm.RmsNorm, 4, 0.1), (config.Value.Depth, config.Value.Name, config.Value.Dropout, config.Value.Norm, config.Value.Channels, config.Value.LearningRate));
        Assert.Equal([8, 5], config.Value.Levels);
        Assert.Equal(new Block { HiddenSize = 16, QkNorm = true }, config.Value.Block);
        Assert.Equal(["block.extra", "optimizer"], config.Unknown);
    }

    [Fact]
    public void Read_Yaml_ReadsScalarsAsPythonDoes()
    {
        Write("config.yaml", """
            base: &base
              hidden_size: 4
            model:
              params:
                depth: 6  # layers
                learning_rate: 1e-4
                name: '12'
                dropout: ~
                levels: [8, 5, 1_000]
                block:
                  <<: *base
                  qk_norm: yes
            """);

        var config = PublishedConfig.Read<Config>(_folder, "model.params").Value;

        Assert.Equal((6, 1e-4, "12", null), (config.Depth, config.LearningRate, config.Name, config.Dropout));
        Assert.Equal([8, 5, 1000], config.Levels);
        Assert.Equal(new Block { HiddenSize = 4, QkNorm = true }, config.Block);
    }

    [Theory]
    [InlineData("""{ "depth": "many" }""", "depth", "\"many\"")]
    [InlineData("""{ "block": { "hidden_size": [1] } }""", "block.hidden_size", "[1]")]
    [InlineData("""{ "depth": 0 }""", "depth", "0")]
    [InlineData("""{ "long_one": 3000000000 }""", "long_one", "3000000000")]
    [InlineData("""{ "blocks": [{}, { "hidden_size": 5000 }] }""", "blocks[1].hidden_size", "5000")]
    [InlineData("""[1]""", null, "Array")]
    public void Read_WrongValue_NamesFileAndKey(string json, string? key, string found)
    {
        var file = Write("config.json", json);

        var error = Assert.Throws<ModelZooException>(() => PublishedConfig.Read<Config>(_folder));

        Assert.Equal(ErrorCodes.ConfigInvalid, error.Code);
        Assert.Equal(key is null ? file : $"{file}: {key}", error.Where);
        Assert.Equal(found, error.Found);
    }

    [Theory]
    [InlineData("config.json", "{")]
    [InlineData("config.yaml", "a: [")]
    [InlineData("config.yaml", "a: &a [*a]")]
    public void Read_DamagedFile_IsAnError(string name, string text)
    {
        Write(name, text);

        Assert.Equal(ErrorCodes.ConfigInvalid, Assert.Throws<ModelZooException>(() => PublishedConfig.Read<Config>(_folder)).Code);
    }

    [Fact]
    public void Read_NoFile_SaysWhichWouldDo()
    {
        var error = Assert.Throws<CheckpointException>(() => PublishedConfig.Read<Config>(_folder));

        Assert.Equal(ErrorCodes.CheckpointMissing, error.Code);
        Assert.Contains("config.yaml", error.Expected);
    }

    [Fact]
    public void Bind_ValuesOfACheckpoint_AreTheSameAsAFile()
    {
        var values = new Dictionary<string, object?> { ["depth"] = 7L, ["block"] = new Dictionary<string, object?> { ["hidden_size"] = 9L }, ["levels"] = new List<object?> { 1L, 2L } };

        var config = PublishedConfig.Bind<Config>(values, "model.pt: args").Value;

        Assert.Equal((7, 9), (config.Depth, config.Block.HiddenSize));
        Assert.Equal([1, 2], config.Levels);
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
