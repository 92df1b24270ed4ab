using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Tests;

/// <summary>A checkpoint in memory.</summary>
internal sealed class TestWeights : ITensorSource
{
    private readonly Dictionary<string, WeightData> _tensors = [];
    private readonly Dictionary<string, WeightData> _derived = [];

    public TestWeights(params ReadOnlySpan<(string Name, Tensor<float> Tensor)> tensors)
    {
        foreach (var (name, tensor) in tensors) _tensors[name] = WeightData.Copy<float>(tensor.Span, tensor.Shape);
    }

    public string Origin => "test";

    public IReadOnlyCollection<TensorInfo> Tensors => [.. _tensors.Select(pair => new TensorInfo(pair.Key, pair.Value.Type, [.. pair.Value.Shape]))];

    public WeightData? Find(string name) => _tensors.GetValueOrDefault(name);

    public WeightData Derive(string key, Func<WeightData> make) => _derived.TryGetValue(key, out var known) ? known : _derived[key] = make();
}
