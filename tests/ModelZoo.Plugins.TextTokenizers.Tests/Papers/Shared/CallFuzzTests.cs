using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers.Shared;

/// <summary>What people write in place of what a call expects is refused by name; no fault of ours passes for theirs.</summary>
public sealed class CallFuzzTests
{
    private static readonly string[] Wrong = ["null", "-1", "70000", "1.5", "\"\"", "[]", "{}", "[[-1]]", "[null]", "[\"x\"]", "{\"x\": []}", "true"];

    public static TheoryData<string> Cases => [.. Directory.EnumerateFiles(Repository.Path("tests", "parity", "text-tokenizers"), "case.json", SearchOption.AllDirectories).Select(file => Path.GetFileName(Path.GetDirectoryName(Path.GetDirectoryName(file)))!).Distinct().Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(Cases))]
    public async Task Call_WithAWrongMember_AnswersOrRefuses(string architecture)
    {
        var folder = Directory.EnumerateDirectories(Repository.Path("tests", "parity", "text-tokenizers", architecture)).Order(StringComparer.Ordinal).First();
        var source = new ModelSource { Id = ModelId.Parse($"text-tokenizers/{architecture}"), Folder = Path.Combine(folder, "checkpoint"), Services = HostServices.Instance };
        await using var model = await new TextTokenizersPlugin().Architectures.Single(row => row.Card.Id == source.Id.ToString()).Open(source, CancellationToken.None);
        IReadOnlyDictionary<string, Tensor> tensors = File.Exists(Path.Combine(folder, "inputs.safetensors")) ? TensorArchive.Read(File.ReadAllBytes(Path.Combine(folder, "inputs.safetensors")), "inputs") : new Dictionary<string, Tensor>();
        foreach (var call in JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "case.json")))!["calls"]!.AsArray())
        {
            var inputs = call!["inputs"]!.AsObject();
            if ((string?)inputs["lines"] is not { } file) continue;
            foreach (var line in ParityRunner.ReadLines(Path.Combine(folder, file)).Take(2))
            {
                foreach (var mutated in Mutations(line)) await TryAsync(model, (string)call["call"]!, inputs, mutated, tensors);
            }
        }
    }

    private static async Task TryAsync(IModel model, string call, JsonObject inputs, JsonElement line, IReadOnlyDictionary<string, Tensor> tensors)
    {
        var arguments = new CallArguments().With("lines", [line]).With("tensors", tensors);
        foreach (var (name, value) in inputs)
        {
            if (name is "lines" or "tensors") continue;
            if (value is JsonValue text && text.TryGetValue(out string? tensor) && tensors.TryGetValue(tensor, out var given)) arguments.With(name, given);
            else arguments.With(name, JsonSerializer.SerializeToElement(value));
        }

        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            await Task.Run(async () => await model.Get<IReferenceCalls>().CallAsync(call, arguments, patience.Token));
        }
        catch (Exception error) when (error is ModelZooException or OperationCanceledException || (error as AggregateException)?.InnerExceptions[0] is ModelZooException)
        {
            // Refused in words, or stopped.
        }
        catch (Exception error)
        {
            Assert.Fail($"{call} {(line.GetRawText() is { Length: > 300 } long_ ? long_[..300] : line.GetRawText())}\n{error}");
        }
    }

    // Each member left out, and each as something else.
    private static IEnumerable<JsonElement> Mutations(JsonElement line)
    {
        if (line.ValueKind != JsonValueKind.Object) yield break;
        foreach (var member in line.EnumerateObject().ToArray())
        {
            foreach (var wrong in Wrong.Append(null))
            {
                var other = JsonNode.Parse(line.GetRawText())!.AsObject();
                if (wrong is null) other.Remove(member.Name);
                else other[member.Name] = JsonNode.Parse(wrong);
                yield return JsonSerializer.SerializeToElement(other);
            }
        }
    }
}
