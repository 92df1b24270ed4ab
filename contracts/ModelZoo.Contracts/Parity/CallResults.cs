using System.Text.Json;

namespace ModelZoo.Contracts;

/// <summary>The named results of a call, in order of computation: tensors, or lines of JSON.</summary>
public sealed class CallResults
{
    private readonly List<KeyValuePair<string, object>> _values = [];
    private readonly HashSet<string> _goOn = [];
    private object? _returned;

    /// <summary>The results in order.</summary>
    public IReadOnlyList<KeyValuePair<string, object>> Values => _values;

    /// <summary>Adds a tensor.</summary>
    public CallResults Add(string name, Tensor tensor) => Append(name, tensor);

    /// <summary>Adds a number.</summary>
    public CallResults Add(string name, double value) => Append(name, Contracts.Tensor.Scalar(value));

    /// <summary>Adds lines of JSON.</summary>
    public CallResults Add(string name, IReadOnlyList<JsonElement> lines) => Append(name, lines);

    /// <summary>Adds lines of JSON that may go on where the reference's end: one that is left to chance from some line on gives the lines before it and no more.</summary>
    public CallResults AddOngoing(string name, IReadOnlyList<JsonElement> lines)
    {
        _goOn.Add(name);
        return Append(name, lines);
    }

    /// <summary>Adds all of another call's results.</summary>
    public CallResults AddRange(CallResults other)
    {
        _values.AddRange(other._values);
        _goOn.UnionWith(other._goOn);
        _returned ??= other._returned;
        return this;
    }

    /// <summary>Sets what the call returns, which in the reference's code has no name: it is found under every name that no result has.</summary>
    public CallResults Return(Tensor tensor)
    {
        _returned = tensor;
        return this;
    }

    /// <summary>The result of that name, or what the call returns, or null.</summary>
    public object? Find(string name) => _values.FirstOrDefault(pair => pair.Key == name).Value ?? _returned;

    /// <summary>Whether the lines of that name may go on where the reference's end.</summary>
    public bool MayGoOn(string name) => _goOn.Contains(name);

    /// <summary>The tensor of that name.</summary>
    public Tensor Tensor(string name) => Find(name) as Tensor
        ?? throw new KeyNotFoundException($"The call gave no tensor '{name}'. It gave: {string.Join(", ", _values.Select(pair => pair.Key))}.");

    private CallResults Append(string name, object value)
    {
        _values.Add(new(name, value));
        return this;
    }
}
