using System.Text.Json;

namespace ModelZoo.Networks.Parity;

/// <summary>
/// Compares lines of JSON key by key. Keys that the expected line lacks are not looked at, but for those whose absence has a meaning. A line that expects an <c>error</c> wants a refusal.
/// Lines marked <c>stable</c> are a set in which the marked ones must be; lines ranked by <c>frequency</c> may change places among equals; between <c>x_low</c> and <c>x_high</c> any <c>x</c> is right.
/// </summary>
/// <param name="case">The case, for its tolerances.</param>
/// <param name="result">The result's name.</param>
/// <param name="file">The file of expected lines.</param>
/// <param name="mayGoOn">Ours may have further lines after the expected ones, which must all be there.</param>
internal sealed class LineComparison(ParityCase @case, string result, string file, bool mayGoOn)
{
    private readonly OrderedDictionary<string, ParityOutput> _outputs = [];
    private readonly JsonComparison _json = new(@case.Tolerances);

    /// <summary>One output a key.</summary>
    public IEnumerable<ParityOutput> Compare(IReadOnlyList<JsonElement> actual, IReadOnlyList<JsonElement> expected)
    {
        if (mayGoOn && actual.Count > expected.Count) actual = [.. actual.Take(expected.Count)];
        if (actual.Count != expected.Count) return [new(file, double.NaN, 0, true, $"{file} has {actual.Count} lines, expected {expected.Count}")];
        if (expected.Count == 0) return [new(file, 0, 0, true, null)];
        if (expected.Any(IsStable)) CompareSets(actual, expected);
        else CompareInOrder(actual, expected);
        return _outputs.Values;
    }

    private void CompareInOrder(IReadOnlyList<JsonElement> actual, IReadOnlyList<JsonElement> expected)
    {
        if (expected.All(line => Has(line, "frequency")))
            actual = Ranking.Align(actual, expected, (a, b) => JsonComparison.Equal(a.GetProperty("frequency"), b.GetProperty("frequency")), (a, b) => Identity(a) == Identity(b));
        for (var i = 0; i < expected.Count; i++) CompareLine(i, actual[i], expected[i]);
    }

    private void CompareLine(int index, JsonElement actual, JsonElement expected)
    {
        if (expected.ValueKind != JsonValueKind.Object)
        {
            Judge(index, "line", actual, expected);
        }
        else if (Has(expected, "error") || Has(actual, "error"))
        {
            Record(index, new("error", Has(actual, "error") == Has(expected, "error") ? 0 : 1, null), actual, expected);
        }
        else if (actual.ValueKind != JsonValueKind.Object)
        {
            Record(index, new("line", double.NaN, null), actual, expected);
        }
        else
        {
            foreach (var (key, value) in expected.EnumerateObject().Select(property => (property.Name, property.Value)).Where(property => !IsBound(expected, property.Name)))
            {
                if (!actual.TryGetProperty(key, out var mine)) Record(index, new(key, double.NaN, Tolerance(key)), default, value);
                else if (Tolerance(key) is { } tolerance && expected.TryGetProperty(key + "_low", out var low) && expected.TryGetProperty(key + "_high", out var high))
                    Record(index, new(key, JsonComparison.Outside(mine, low, high), tolerance), mine, value);
                else Judge(index, key, mine, value);
            }

            if (Has(expected, "ids") && !JsonComparison.NothingElse(actual, expected)) Record(index, new("masks", 1, null), actual, expected);
            if (Has(expected, "decoded") && !Has(expected, "decoded_with_special") && actual.TryGetProperty("decoded_with_special", out var special))
                Judge(index, "decoded_with_special", special, expected.GetProperty("decoded"));
        }
    }

    // As many lines, and every marked line among ours; a tolerance of the result itself is the share that may be missing.
    private void CompareSets(IReadOnlyList<JsonElement> actual, IReadOnlyList<JsonElement> expected)
    {
        var ours = actual.GroupBy(Identity).ToDictionary(group => group.Key, group => new Queue<JsonElement>(group));
        var stable = expected.Where(IsStable).ToList();
        var missing = new List<JsonElement>();
        foreach (var line in stable)
        {
            if (!ours.TryGetValue(Identity(line), out var found) || !found.TryDequeue(out var mine))
            {
                missing.Add(line);
                continue;
            }

            foreach (var property in line.EnumerateObject().Where(property => Tolerance(property.Name) is not null))
                Judge(0, property.Name, mine.TryGetProperty(property.Name, out var value) ? value : default, property.Value);
        }

        var share = (double)missing.Count / stable.Count;
        var limit = Tolerance(result) ?? 0;
        _outputs[result] = new($"{file}:{result}", share, limit, limit == 0, share <= limit ? null : $"{missing.Count} of {stable.Count} stable lines of {file} are missing, such as {Short(missing[0])}");
    }

    private void Judge(int index, string key, JsonElement actual, JsonElement expected)
    {
        foreach (var finding in _json.Compare(key, actual, expected)) Record(index, finding, actual, expected);
    }

    private void Record(int index, JsonFinding finding, JsonElement actual, JsonElement expected)
    {
        var (key, difference, tolerance) = finding;
        var problem = finding.Passes ? null : $"{file} line {index + 1}: {key} is {Short(actual)}, expected {Short(expected)}";
        if (_outputs.TryGetValue(key, out var before))
        {
            // Differences of what must be equal count lines; the others keep their worst.
            difference = tolerance is null ? before.Difference + difference : Math.Max(before.Difference, difference);
            problem = before.Problem ?? problem;
        }

        _outputs[key] = new($"{file}:{key}", difference, tolerance ?? 0, tolerance is null, problem);
    }

    private double? Tolerance(string key) => @case.Tolerances.TryGetValue(key, out var tolerance) ? tolerance : null;

    // What a line is about: all of it but ids, marks and figures with a tolerance.
    private string Identity(JsonElement line) => line.ValueKind != JsonValueKind.Object
        ? Plain(line)
        : string.Join('\n', line.EnumerateObject().Where(property => property.Name is not ("id" or "stable") && Tolerance(property.Name) is null)
            .OrderBy(property => property.Name, StringComparer.Ordinal).Select(property => $"{property.Name}={Plain(property.Value)}"));

    private static string Plain(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number => value.GetDouble().ToString("R", System.Globalization.CultureInfo.InvariantCulture),
        _ => value.GetRawText(),
    };

    private static bool IsStable(JsonElement line) => line.ValueKind == JsonValueKind.Object && line.TryGetProperty("stable", out var stable) && stable.ValueKind == JsonValueKind.True;

    private static bool IsBound(JsonElement line, string key) =>
        (key.EndsWith("_low", StringComparison.Ordinal) && Has(line, key[..^4])) || (key.EndsWith("_high", StringComparison.Ordinal) && Has(line, key[..^5]));

    private static bool Has(JsonElement line, string key) => line.ValueKind == JsonValueKind.Object && line.TryGetProperty(key, out _);

    private static string Short(JsonElement value) => value.ValueKind == JsonValueKind.Undefined ? "missing"
        : value.GetRawText() is { Length: > 160 } text ? text[..160] + "..." : value.GetRawText();
}
