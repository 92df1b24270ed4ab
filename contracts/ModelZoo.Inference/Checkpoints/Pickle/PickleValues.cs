namespace ModelZoo.Inference.Pickle;

// What a pickle builds, besides null, bool, long, double, BigInteger, string and byte[]. Nothing here has behaviour.

/// <summary>A name of something in a Python module, known to be harmless.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public string FullName { get; } = $"{Module}.{Name}";
}

/// <summary>A tuple.</summary>
internal sealed record PickleTuple(object?[] Items);

/// <summary>A list or set, in order.</summary>
internal sealed class PickleList : List<object?>;

/// <summary>A dictionary in order of insertion; a later key replaces an equal earlier one when it is read.</summary>
internal class PickleDictionary
{
    public List<(object? Key, object? Value)> Items { get; } = [];

    /// <summary>The last value under a text key; null when there is none.</summary>
    public object? this[string key] => Items.FindLast(item => item.Key is string text && text == key).Value;

    public bool Has(string key) => Items.Exists(item => item.Key is string text && text == key);
}

/// <summary>An object of a class that is read as data; its attributes are the dictionary's.</summary>
internal sealed class PickleObject(PickleGlobal type) : PickleDictionary
{
    public PickleGlobal Type => type;
}
