using System.Text.RegularExpressions;
using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>
/// How a checkpoint's published names become those that a network asks for: regular expressions with replacements, applied in order, each to what the one before left.
/// A rule without a replacement hides the names it matches. Pure data: test it on a list of names.
/// </summary>
public sealed class KeyMap
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private readonly (Regex Pattern, string? Replacement)[] _rules;

    /// <summary>A map of <paramref name="rules"/>, for example <c>new KeyMap((@"^module\.", ""), (@"num_batches_tracked$", null))</c>.</summary>
    public KeyMap(params ReadOnlySpan<(string Pattern, string? Replacement)> rules)
    {
        _rules = new (Regex, string?)[rules.Length];
        for (var i = 0; i < rules.Length; i++) _rules[i] = (new(rules[i].Pattern, RegexOptions.CultureInvariant, Patience), rules[i].Replacement);
    }

    private KeyMap((Regex, string?)[] rules) => _rules = rules;

    /// <summary>Names of PyTorch's newer weight norm (<c>parametrizations.weight.original0</c>, <c>1</c>) under those of the older (<c>weight_g</c>, <c>weight_v</c>).</summary>
    public static KeyMap WeightNorm { get; } = new((@"parametrizations\.(\w+)\.original0$", "$1_g"), (@"parametrizations\.(\w+)\.original1$", "$1_v"));

    /// <summary>This map, then <paramref name="next"/>.</summary>
    public KeyMap Then(KeyMap next) => new([.. _rules, .. next._rules]);

    /// <summary>The name that a network asks for; null when the published name is hidden.</summary>
    public string? Rename(string published)
    {
        foreach (var (pattern, replacement) in _rules)
        {
            if (!pattern.IsMatch(published)) continue;
            if (replacement is null) return null;
            published = pattern.Replace(published, replacement);
        }

        return published;
    }

    /// <summary>The tensors of <paramref name="source"/> under their new names.</summary>
    /// <exception cref="CheckpointException">Two published names become one.</exception>
    public ITensorSource Apply(ITensorSource source) => new RenamedTensors(source, this);
}

/// <summary>A source whose names went through a <see cref="KeyMap"/>.</summary>
internal sealed class RenamedTensors : ITensorSource
{
    private readonly ITensorSource _source;
    private readonly Dictionary<string, string> _published = [];
    private readonly HashSet<string> _hidden = [];
    private readonly DerivedWeights _derived = new();

    public RenamedTensors(ITensorSource source, KeyMap map)
    {
        _source = source;
        var tensors = new List<TensorInfo>();
        foreach (var tensor in source.Tensors)
        {
            if (map.Rename(tensor.Name) is not { } name)
            {
                _hidden.Add(tensor.Name);
                continue;
            }

            if (!_published.TryAdd(name, tensor.Name))
            {
                throw new CheckpointException(ErrorCodes.CheckpointMalformed, "Two tensors have one name after renaming.")
                { Where = source.Origin, Expected = "a name each", Found = $"{_published[name]} and {tensor.Name} both become {name}" };
            }

            tensors.Add(tensor with { Name = name });
        }

        Tensors = tensors;
    }

    public string Origin => _source.Origin;

    public IReadOnlyCollection<TensorInfo> Tensors { get; }

    public IReadOnlyCollection<string> Unused => [.. _source.Unused.Where(name => !_hidden.Contains(name))];

    public WeightData? Find(string name) => _published.TryGetValue(name, out var published) ? _source.Find(published) : null;

    public WeightData Derive(string key, Func<WeightData> make) => _derived.Get(key, make);
}
