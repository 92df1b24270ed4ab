namespace ModelZoo.Networks;

internal static class Attributes
{
    public static readonly IReadOnlyDictionary<string, object> None = new Dictionary<string, object>();

    public static IReadOnlyDictionary<string, object> Of(ReadOnlySpan<(string Name, object Value)> attributes)
    {
        if (attributes.IsEmpty) return None;
        var result = new Dictionary<string, object>(attributes.Length);
        foreach (var (name, value) in attributes) result[name] = value is int number ? (long)number : value;
        return result;
    }
}
