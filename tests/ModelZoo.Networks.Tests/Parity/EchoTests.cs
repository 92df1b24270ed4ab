using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Parity.Tests;

/// <summary>Every case at hand, answered with its own expectation: each form of case is read, and each output compared.</summary>
public class EchoTests
{
    [Fact]
    public async Task Run_CaseAnsweredWithItsOwnExpectation_PassesAndAMissingOutputFails()
    {
        var families = Directory.Exists(Repository.Path("..", "shared", "parity")) ? Directory.GetDirectories(Repository.Path("..", "shared", "parity")).Select(Path.GetFileName) : ["speech"];
        foreach (var @case in families.SelectMany(family => ParityCasesAttribute.Find(family!)))
        {
            var report = await Runner(@case, static results => results).RunAsync(@case);
            Assert.True(report.Status == ParityStatus.Pass, $"{report.Case}: {report.Message}");
            Assert.Equal(ParityStatus.Fail, (await Runner(@case, static results => results[..^1]).RunAsync(@case)).Status);
        }
    }

    private static ParityRunner Runner(ParityCase @case, Func<KeyValuePair<string, object>[], KeyValuePair<string, object>[]> choose)
    {
        var card = new ModelCard { Id = @case.Model.ToString(), Paper = "Echo", Authors = [], Inputs = [], Outputs = [] };
        return new(_ => new(card, (_, _) => ValueTask.FromResult<IModel>(new Echo(@case, choose))), HostServices.Instance);
    }

    private sealed class Echo(ParityCase @case, Func<KeyValuePair<string, object>[], KeyValuePair<string, object>[]> choose) : IModel, IReferenceCalls
    {
        private readonly OrderedDictionary<string, Tensor> _tensors = File.Exists(Path.Combine(@case.Folder, "expected.safetensors")) ? TensorArchive.Read(Path.Combine(@case.Folder, "expected.safetensors")) : [];
        private int _next;

        public ModelFacts Facts => new();

        public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
        {
            foreach (var name in arguments.Names) arguments.Has(name);
            var answers = @case.Calls[_next++].Outputs.Select(output => KeyValuePair.Create(output.Key, Answer(output.Value))).ToArray();
            var results = new CallResults();
            foreach (var (name, value) in choose(answers))
            {
                if (value is Tensor tensor) results.Add(name, tensor);
                else results.Add(name, (IReadOnlyList<System.Text.Json.JsonElement>)value);
            }

            return ValueTask.FromResult(results);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        private object Answer(string name) => name.EndsWith(".jsonl", StringComparison.Ordinal) ? ParityRunner.ReadLines(Path.Combine(@case.Folder, name)) : _tensors[name.Split(':')[^1]];
    }
}
