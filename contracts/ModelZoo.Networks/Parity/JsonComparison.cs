using System.Text.Json;

namespace ModelZoo.Networks.Parity;

/// <summary>What one part of a line came to.</summary>
/// <param name="Key">The nearest key that has a tolerance, else the line's own key.</param>
/// <param name="Difference">0 or 1 where it must be equal; else the relative difference. NaN when the two are of different form.</param>
/// <param name="Tolerance">The key's tolerance; null where it must be equal.</param>
internal readonly record struct JsonFinding(string Key, double Difference, double? Tolerance)
{
    public bool Passes => Difference <= (Tolerance ?? 0);
}

/// <summary>Compares JSON values: numbers under a key with a tolerance by <c>max|a-b| / (1e-6 + max|b|)</c>, all else by equality.</summary>
internal sealed class JsonComparison(IReadOnlyDictionary<string, double> tolerances)
{
    // What an encoding means that does not say it: all 0, all 0, all 1.
    private static readonly KeyValuePair<string, int>[] DefaultMasks = [new("type_ids", 0), new("special_mask", 0), new("attention_mask", 1)];

    public IEnumerable<JsonFinding> Compare(string key, JsonElement actual, JsonElement expected, double? inherited = null)
    {
        var tolerance = tolerances.TryGetValue(key, out var own) ? own : inherited;
        if (tolerance is null && !HoldsTolerance(expected)) return [new(key, Equal(actual, expected) ? 0 : 1, null)];
        if (tolerance is not null && IsNumeric(expected)) return [new(key, Relative(actual, expected), tolerance)];
        return expected.ValueKind switch
        {
            JsonValueKind.Array => Arrays(key, actual, expected, tolerance),
            JsonValueKind.Object => Objects(key, actual, expected, tolerance),
            _ => [new(key, Equal(actual, expected) ? 0 : 1, null)],
        };
    }

    /// <summary>How far numbers lie outside of their bounds, relative as ever.</summary>
    public static double Outside(JsonElement actual, JsonElement low, JsonElement high)
    {
        var (a, l, h) = (Numbers(actual), Numbers(low), Numbers(high));
        if (a is null || l is null || h is null || a.Count != l.Count || a.Count != h.Count) return double.NaN;
        var apart = a.Select((value, i) => Math.Max(0, Math.Max(l[i] - value, value - h[i]))).DefaultIfEmpty().Max();
        return apart / (1e-6 + h.Select(Math.Abs).DefaultIfEmpty().Max());
    }

    /// <summary>Equality of values; numbers as 64-bit integers or doubles.</summary>
    public static bool Equal(JsonElement a, JsonElement b)
    {
        if (a.ValueKind != b.ValueKind) return false;
        switch (b.ValueKind)
        {
            case JsonValueKind.Number:
                return a.TryGetInt64(out var x) && b.TryGetInt64(out var y) ? x == y : a.GetDouble() == b.GetDouble();
            case JsonValueKind.String:
                return a.GetString() == b.GetString();
            case JsonValueKind.Array:
                return a.GetArrayLength() == b.GetArrayLength() && a.EnumerateArray().Zip(b.EnumerateArray()).All(pair => Equal(pair.First, pair.Second));
            case JsonValueKind.Object:
                return b.EnumerateObject().All(property => a.TryGetProperty(property.Name, out var mine) && Equal(mine, property.Value)) && NothingElse(a, b);
            default:
                return true;
        }
    }

    /// <summary>
    /// True when <paramref name="actual"/> says no more than <paramref name="expected"/>. An encoding (it has ids) may say more, but its masks only what their absence means.
    /// </summary>
    public static bool NothingElse(JsonElement actual, JsonElement expected)
    {
        if (!expected.TryGetProperty("ids", out _)) return actual.EnumerateObject().All(property => expected.TryGetProperty(property.Name, out _));
        return DefaultMasks.All(mask => expected.TryGetProperty(mask.Key, out _) || !actual.TryGetProperty(mask.Key, out var given)
            || (given.ValueKind == JsonValueKind.Array && given.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.GetDouble() == mask.Value)));
    }

    private IEnumerable<JsonFinding> Arrays(string key, JsonElement actual, JsonElement expected, double? tolerance)
    {
        if (actual.ValueKind != JsonValueKind.Array || actual.GetArrayLength() != expected.GetArrayLength()) return [new(key, double.NaN, tolerance)];
        IReadOnlyList<JsonElement> ours = [.. actual.EnumerateArray()], theirs = [.. expected.EnumerateArray()];
        if (theirs.Count > 0 && theirs.All(item => item.ValueKind == JsonValueKind.Object))
        {
            // Candidates with nearly equal scores may change places; those without a rank stand in any order.
            if (theirs.All(item => item.TryGetProperty("score", out _)))
                ours = Ranking.Align(ours, theirs, (a, b) => Math.Abs(a.GetProperty("score").GetDouble() - b.GetProperty("score").GetDouble()) <= 1e-4, SameIds);
            else if (theirs.All(item => item.TryGetProperty("logprob", out _))) ours = Ranking.Align(ours, theirs, static (_, _) => true, SameIds);
        }

        return ours.Zip(theirs).SelectMany(pair => Compare(key, pair.First, pair.Second, tolerance));
    }

    private IEnumerable<JsonFinding> Objects(string key, JsonElement actual, JsonElement expected, double? tolerance)
    {
        if (actual.ValueKind != JsonValueKind.Object) return [new(key, double.NaN, tolerance)];
        return expected.EnumerateObject().SelectMany(property =>
            !actual.TryGetProperty(property.Name, out var mine) ? [new JsonFinding(key, double.NaN, tolerance)]
            : tolerance is not null && !tolerances.ContainsKey(property.Name) && !HoldsReals(property.Value) ? [new(key, Equal(mine, property.Value) ? 0 : double.NaN, tolerance)]
            : tolerances.ContainsKey(property.Name) ? Compare(property.Name, mine, property.Value)
            : Compare(key, mine, property.Value, tolerance))
            .Append(new(key, NothingElse(actual, expected) ? 0 : double.NaN, tolerance));
    }

    private static bool SameIds(JsonElement a, JsonElement b) =>
        a.TryGetProperty("ids", out var x) && b.TryGetProperty("ids", out var y) && Equal(x, y);

    private static double Relative(JsonElement actual, JsonElement expected)
    {
        if (Numbers(actual) is not { } ours || Numbers(expected) is not { } theirs || ours.Count != theirs.Count) return double.NaN;
        var apart = ours.Zip(theirs, (a, b) => a == b ? 0 : Math.Abs(a - b)).DefaultIfEmpty().Max();
        return apart / (1e-6 + theirs.Select(Math.Abs).DefaultIfEmpty().Max());
    }

    private bool HoldsTolerance(JsonElement value) => tolerances.Count > 0 && value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().Any(property => tolerances.ContainsKey(property.Name) || HoldsTolerance(property.Value)),
        JsonValueKind.Array => value.EnumerateArray().Any(HoldsTolerance),
        _ => false,
    };

    private static bool IsNumeric(JsonElement value) => value.ValueKind == JsonValueKind.Number
        || (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(IsNumeric));

    private static bool HoldsReals(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.GetRawText().AsSpan().ContainsAny('.', 'e', 'E'),
        JsonValueKind.Array => value.EnumerateArray().Any(HoldsReals),
        JsonValueKind.Object => value.EnumerateObject().Any(property => HoldsReals(property.Value)),
        _ => false,
    };

    private static List<double>? Numbers(JsonElement value)
    {
        var numbers = new List<double>();
        return Collect(value) ? numbers : null;

        bool Collect(JsonElement item)
        {
            if (item.ValueKind == JsonValueKind.Array) return item.EnumerateArray().All(Collect);
            if (item.ValueKind != JsonValueKind.Number) return false;
            numbers.Add(item.GetDouble());
            return true;
        }
    }
}
