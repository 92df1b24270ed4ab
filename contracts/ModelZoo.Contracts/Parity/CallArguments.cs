using System.Text.Json;

namespace ModelZoo.Contracts;

/// <summary>The arguments of a call: tensors, literals, or lines of JSON, by the reference's own argument names.</summary>
public sealed class CallArguments
{
    private readonly Dictionary<string, object> _values = [];
    private readonly HashSet<string> _used = [];

    /// <summary>Adds a tensor.</summary>
    public CallArguments With(string name, Tensor tensor) => Set(name, tensor);

    /// <summary>Adds a literal.</summary>
    public CallArguments With(string name, JsonElement literal) => Set(name, literal);

    /// <summary>Adds lines of JSON, one value a line.</summary>
    public CallArguments With(string name, IReadOnlyList<JsonElement> lines) => Set(name, lines);

    /// <summary>Adds a list of tensors.</summary>
    public CallArguments With(string name, IReadOnlyList<Tensor> tensors) => Set(name, tensors);

    /// <summary>Adds named tensors: all of a file.</summary>
    public CallArguments With(string name, IReadOnlyDictionary<string, Tensor> tensors) => Set(name, tensors);

    /// <summary>Names of the arguments given.</summary>
    public IReadOnlyCollection<string> Names => _values.Keys;

    /// <summary>Names that were given and never asked for: an option that the implementation does not know.</summary>
    public IReadOnlyList<string> Unused => [.. _values.Keys.Where(name => !_used.Contains(name))];

    /// <summary>True when the argument was given and is not null.</summary>
    public bool Has(string name) => Find(name) is { } value && value is not JsonElement { ValueKind: JsonValueKind.Null };

    /// <summary>True when the argument was given as a tensor, rather than as a literal.</summary>
    public bool HasTensor(string name) => Find(name) is Tensor;

    /// <summary>A tensor of <typeparamref name="T"/>.</summary>
    public Tensor<T> Tensor<T>(string name) where T : unmanaged => Require<Tensor>(name).As<T>();

    /// <summary>A tensor of any type.</summary>
    public Tensor Tensor(string name) => Require<Tensor>(name);

    /// <summary>A tensor, or null when it was not given.</summary>
    public Tensor<T>? FindTensor<T>(string name) where T : unmanaged => Has(name) ? Tensor<T>(name) : null;

    /// <summary>Lines of JSON.</summary>
    public IReadOnlyList<JsonElement> Lines(string name) => Require<IReadOnlyList<JsonElement>>(name);

    /// <summary>A list of tensors.</summary>
    public IReadOnlyList<Tensor> TensorList(string name) => Require<IReadOnlyList<Tensor>>(name);

    /// <summary>Named tensors.</summary>
    public IReadOnlyDictionary<string, Tensor> TensorTable(string name) => Require<IReadOnlyDictionary<string, Tensor>>(name);

    /// <summary>A literal as it stands.</summary>
    public JsonElement Json(string name) => Require<JsonElement>(name);

    /// <summary>A literal read as <typeparamref name="T"/>: number, text, bool or an array of them.</summary>
    public T Literal<T>(string name) => Read<T>(name, Json(name));

    /// <summary>A literal, or <paramref name="otherwise"/> when it was not given or is null.</summary>
    public T Literal<T>(string name, T otherwise) => Has(name) ? Literal<T>(name) : otherwise;

    private CallArguments Set(string name, object value)
    {
        _values[name] = value;
        return this;
    }

    private object? Find(string name)
    {
        _used.Add(name);
        return _values.GetValueOrDefault(name);
    }

    private T Require<T>(string name) => Find(name) switch
    {
        T value => value,
        null => throw new ModelZooException(ErrorCodes.VerbUnsupported, "The call lacks an argument.") { Where = name, Found = string.Join(", ", Names) },
        var other => throw new ModelZooException(ErrorCodes.VerbUnsupported, "An argument is of another kind.") { Where = name, Expected = typeof(T).Name, Found = other.GetType().Name },
    };

    private static T Read<T>(string name, JsonElement literal)
    {
        try
        {
            return literal.Deserialize<T>() ?? throw new JsonException("null");
        }
        catch (JsonException error)
        {
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "An argument cannot be read.", error) { Where = name, Expected = typeof(T).Name, Found = literal.GetRawText() };
        }
    }
}
