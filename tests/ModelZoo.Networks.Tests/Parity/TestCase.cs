using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Parity.Tests;

/// <summary>A case folder for a test, and an architecture that answers its calls as told.</summary>
internal sealed class TestCase : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("case-").FullName;

    public JsonObject Json { get; } = new() { ["model"] = "test/net", ["calls"] = new JsonArray(), ["exact"] = new JsonArray(), ["tolerance"] = new JsonObject() };

    public List<KeyValuePair<string, Tensor>> Inputs { get; } = [];

    public List<KeyValuePair<string, Tensor>> Expected { get; } = [];

    public TestCase Call(string call, string inputs, string outputs)
    {
        Json["calls"]!.AsArray().Add(new JsonObject { ["call"] = call, ["inputs"] = JsonNode.Parse(inputs), ["outputs"] = JsonNode.Parse(outputs) });
        return this;
    }

    public TestCase Exact(string name)
    {
        Json["exact"]!.AsArray().Add(name);
        return this;
    }

    public TestCase Tolerance(string name, double value)
    {
        Json["tolerance"]![name] = new JsonObject { ["value"] = value, ["why"] = "test" };
        return this;
    }

    public TestCase File(string name, string text)
    {
        System.IO.File.WriteAllText(Path.Combine(Folder, name), text);
        return this;
    }

    public TestCase Expect(string name, Tensor tensor)
    {
        Expected.Add(new(name, tensor));
        return this;
    }

    public TestCase Input(string name, Tensor tensor)
    {
        Inputs.Add(new(name, tensor));
        return this;
    }

    public Task<ParityReport> RunAsync(Func<string, CallArguments, CallResults> answer, WeightPrecision precision = WeightPrecision.Float32)
    {
        File("case.json", Json.ToJsonString());
        Save("inputs.safetensors", Inputs);
        Save("expected.safetensors", Expected);
        var card = new ModelCard { Id = "test/net", Paper = "A test", Authors = [], Inputs = [], Outputs = [] };
        var runner = new ParityRunner(id => id.ToString() == card.Id ? new(card, (source, _) =>
        {
            Assert.Equal(precision.Name(), source.Precision);
            Assert.Equal((string?)Json["reference"], source.Settings.Text("reference"));
            return ValueTask.FromResult<IModel>(new Model(answer));
        }) : null, new NoServices()) { Precision = precision };
        return runner.RunAsync(Folder);
    }

    public static IReadOnlyList<JsonElement> Lines(params string[] lines) => [.. lines.Select(line => JsonElement.Parse(line))];

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private void Save(string name, List<KeyValuePair<string, Tensor>> tensors)
    {
        using var stream = System.IO.File.Create(Path.Combine(Folder, name));
        SafetensorsWriter.Write(stream, new Dictionary<string, Tensor>(tensors));
    }

    private sealed class Model(Func<string, CallArguments, CallResults> answer) : IModel, IReferenceCalls
    {
        public ModelFacts Facts => new();
        public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => ValueTask.FromResult(answer(call, arguments));
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class NoServices : IServiceProvider
    {
        public object? GetService(Type serviceType) => null;
    }
}
