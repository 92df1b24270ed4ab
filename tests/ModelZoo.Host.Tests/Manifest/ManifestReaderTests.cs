using ModelZoo.Contracts;

namespace ModelZoo.Host.Manifest.Tests;

public sealed class ManifestReaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("manifest-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Write(string text, string name = "plugins.json")
    {
        File.WriteAllText(Path.Combine(_folder, name), text);
        return Path.Combine(_folder, name);
    }

    private HostManifest Read(string text) => ManifestReader.Read([Write(text)], name => name == "ZOO" ? "zoo" : null);

    [Fact]
    public void Read_EveryKey_IsUnderstood()
    {
        var manifest = Read("""
            {
              "$schema": "docs/plugins.schema.json", // comments are fine
              "plugins": ["a/*", { "path": "${ZOO}/b", "enabled": false, "sha256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "settings": { "x": [1, "y", null, true] } }],
              "models": { "speech/encodec.8khz": { "name": "codec", "checkpoint": "${MISSING:-samples}/e", "parts": [{ "file": "a.pt", "key": "state_dict" }], "device": "webgpu:1", "precision": "int8", "settings": {}, "options": { "tokenize": { "bandwidth": 1.6 } }, "warm": true } },
              "device": "cpu", "memory": { "cpu": "1.5GB" }, "watch": ["drop"], "queue": { "concurrency": 2, "limit": 3, "deadlineSeconds": 0.5 },
            }
            """);
        Assert.Equal([Path.Combine(_folder, "a/*"), Path.Combine(_folder, "zoo/b")], manifest.Plugins.Select(plugin => plugin.Path));
        Assert.Equal((false, new string('a', 64)), (manifest.Plugins[1].Enabled, manifest.Plugins[1].Sha256));
        Assert.Equal("""{"x":[1,"y",null,true]}""", manifest.Plugins[1].Settings.ToString());
        var (id, model) = Assert.Single(manifest.Models);
        Assert.Equal(("8khz", Path.Combine(_folder, "samples/e"), "webgpu:1", "int8", true, "state_dict"), (id.Tag, model.Checkpoint, model.Device, model.Precision, model.Warm, model.Parts[0].Key));
        Assert.Equal("codec", model.Name);
        Assert.Equal((3L << 29, Path.Combine(_folder, "drop"), 2, 3, 0.5), (manifest.Memory["cpu"], manifest.Watch[0], manifest.Queue!.Concurrency, manifest.Queue.Limit, manifest.Queue.Deadline.TotalSeconds));
    }

    [Theory]
    [InlineData("{\n  \"plugin\": []\n}", ":2", "Did you mean 'plugins'?")]
    [InlineData("{\n  \"models\": {\n    \"a/b.c\": { \"checkpiont\": \"x\" }\n  }\n}", ":3", "Did you mean 'checkpoint'?")]
    [InlineData("{\n  \"plugins\": [\n    { \"path\": \"x\", \"enabled\": \"yes\" } ]\n}", ":3", "Expected: true or false. Found: 'yes'")]
    [InlineData("{\n  \"plugins\": [\n    { \"enabled\": true } ]\n}", ":3", "no path")]
    [InlineData("{\n  \"plugins\": [ { \"path\": \"x\", \"sha256\": \"12\" } ]\n}", ":2", "64 hexadecimal digits")]
    [InlineData("{\n  \"plugins\": [\n\n}", ":4", "not JSON")]
    [InlineData("{\n  \"models\": { \"Speech\": {} }\n}", ":2", "family/architecture.tag")]
    [InlineData("{\n  \"device\": \"gpu\"\n}", ":2", "webgpu[:n]")]
    [InlineData("{\n  \"models\": { \"a/b.c\": { \"precision\": \"int2\" } }\n}", ":2", "float32, int8 or int4")]
    [InlineData("{\n  \"models\": { \"a/b.c\": { \"name\": \"A b\" } }\n}", ":2", "lower-case letters")]
    [InlineData("{\n  \"models\": { \"a/b.c\": { \"name\": \"x\" },\n\"a/b.d\": { \"name\": \"x\" } }\n}", ":2", "a/b.c and a/b.d have one name")]
    [InlineData("{\n  \"memory\": { \"cpu\": \"lots\" }\n}", ":2", "512MB or 4GB")]
    [InlineData("{\n  \"watch\": [\"${NOT_SET}\"]\n}", ":2", "NOT_SET is not set")]
    [InlineData("{\n  \"device\": \"cpu\",\n  \"device\": \"cpu\"\n}", ":3", "twice")]
    [InlineData("{\n  \"queue\": { \"limit\": 0 }\n}", ":2", "above 0")]
    public void Read_Mistake_GivesFileLineAndWhatWouldBeRight(string text, string line, string message)
    {
        var error = Assert.Throws<ModelZooException>(() => Read(text));
        Assert.Equal(ErrorCodes.ManifestInvalid, error.Code);
        Assert.Contains($"plugins.json{line}", error.Where, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_TwoFiles_TheSecondIsLaidOverTheFirst()
    {
        var project = Write("""{ "plugins": ["a", "b"], "models": { "x/y.1": { "checkpoint": "p" }, "x/y.2": {} }, "device": "webgpu" }""");
        var user = Write("""{ "plugins": [{ "path": "a", "enabled": false }], "models": { "x/y.1": { "checkpoint": "u" } } }""", "user.json");
        var manifest = ManifestReader.Read([project, user]);
        Assert.Equal([("b", true), ("a", false)], manifest.Plugins.Select(plugin => (Path.GetFileName(plugin.Path), plugin.Enabled)));
        Assert.EndsWith("u", manifest.Models[ModelId.Parse("x/y.1")].Checkpoint, StringComparison.Ordinal);
        Assert.Equal((2, "webgpu"), (manifest.Models.Count, manifest.Device));
    }

    [Fact]
    public void Locate_WorkingFolderFirst_ThenAboveTheExecutable()
    {
        var inner = Directory.CreateDirectory(Path.Combine(_folder, "a", "b")).FullName;
        Assert.Equal(Write("{}"), ManifestReader.Locate(inner, "/"));
        Assert.Equal(Write("{}"), ManifestReader.Locate("/", inner));
        Assert.Null(ManifestReader.Locate("/", "/"));
    }
}
