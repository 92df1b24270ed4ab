using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Parity;

/// <summary>What a case expects, and which of it has been compared.</summary>
internal sealed class ExpectedOutputs(ParityCase @case, OrderedDictionary<string, Tensor> tensors)
{
    private readonly HashSet<string> _named = [];

    /// <summary>Expected tensors that no call has named.</summary>
    public IEnumerable<string> NotNamed => tensors.Keys.Where(name => !_named.Contains(name));

    /// <summary>Compares the result of a call with the tensor, or the file of lines, that the case names for it.</summary>
    public IEnumerable<ParityOutput> Compare(string call, string result, string name, CallResults results)
    {
        var actual = results.Find(result);
        name = name.StartsWith("expected.safetensors:", StringComparison.Ordinal) ? name["expected.safetensors:".Length..] : name;
        var exact = @case.Exact.Contains(name);
        if (name.EndsWith(".jsonl", StringComparison.Ordinal) && Path.Combine(@case.Folder, name) is var path && File.Exists(path))
        {
            return actual is IReadOnlyList<JsonElement> lines
                ? new LineComparison(@case, result, name, results.MayGoOn(result)).Compare(lines, ParityRunner.ReadLines(path))
                : [Missing(actual is null ? $"{call} gave no {result}" : $"{call} gave a tensor as {result}, expected lines")];
        }

        _named.Add(name);
        if (!tensors.TryGetValue(name, out var expected)) return [Missing($"the case names {name}, which expected.safetensors lacks")];
        return actual is Tensor tensor
            ? [TensorComparison.Compare(name, tensor, expected, exact, Tolerance() ?? (expected.Type.IsFloat() ? @case.Tolerance : null))]
            : [Missing(actual is null ? $"{call} gave no {result}" : $"{call} gave lines as {result}, expected a tensor")];

        double? Tolerance() => @case.Tolerances.TryGetValue(name, out var own) ? own : null;
        ParityOutput Missing(string problem) => new(name, double.NaN, exact ? 0 : Tolerance() ?? @case.Tolerance, exact, problem);
    }
}
