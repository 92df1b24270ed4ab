using ModelZoo.Inference;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Base weights of which some are replaced by those of a smaller file.</summary>
/// <param name="source">The base.</param>
/// <param name="overlay">What wins.</param>
internal sealed class OverlaidTensors(ITensorSource source, ITensorSource overlay) : ITensorSource
{
    /// <inheritdoc/>
    public string Origin => $"{source.Origin} + {overlay.Origin}";

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors => [.. overlay.Tensors, .. source.Tensors.Where(tensor => overlay.Tensors.All(other => other.Name != tensor.Name))];

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Unused => overlay.Unused;

    /// <inheritdoc/>
    public WeightData? Find(string name) => overlay.Find(name) ?? source.Find(name);

    /// <inheritdoc/>
    public WeightData Derive(string key, Func<WeightData> make) => overlay.Derive(key, make);
}

/// <summary>Base weights with low-rank additions merged in: W + scale B A (LoRA, Hu et al., arXiv:2106.09685), for each <c>NAME.lora_A.weight</c> (r, in) and <c>NAME.lora_B.weight</c> (out, r).</summary>
/// <param name="source">The base.</param>
/// <param name="lora">The additions, under names that begin with <paramref name="prefix"/>.</param>
/// <param name="scale">Their factor.</param>
/// <param name="prefix">What precedes the base's names, such as <c>transformer.</c>.</param>
internal sealed class LoraTensors(ITensorSource source, ITensorSource lora, float scale, string prefix) : ITensorSource
{
    /// <inheritdoc/>
    public string Origin => $"{source.Origin} + {scale} x {lora.Origin}";

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors => source.Tensors;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Unused => lora.Unused;

    /// <inheritdoc/>
    public WeightData? Find(string name)
    {
        if (!name.EndsWith(".weight", StringComparison.Ordinal) || source.Find(name) is not { } weight) return source.Find(name);
        var module = prefix + name[..^".weight".Length];
        return lora.Find($"{module}.lora_A.weight") is { } down && lora.Find($"{module}.lora_B.weight") is { } up
            ? Derive($"{name}:lora", () => Merge(WeightConversion.ToFloat32(weight), WeightConversion.ToFloat32(down), WeightConversion.ToFloat32(up)))
            : weight;
    }

    /// <inheritdoc/>
    public WeightData Derive(string key, Func<WeightData> make) => source.Derive($"{key}@{Origin}", make);

    private WeightData Merge(WeightData weight, WeightData down, WeightData up)
    {
        var (rows, columns, rank) = ((int)up.Shape[0], (int)down.Shape[1], (int)down.Shape[0]);
        return WeightData.Create<float>(weight.Shape, merged =>
        {
            weight.Span<float>().CopyTo(merged);
            for (var i = 0; i < rows; i++)
            {
                for (var r = 0; r < rank; r++) System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(down.Span<float>().Slice(r * columns, columns), scale * up.Span<float>()[i * rank + r], merged.Slice(i * columns, columns), merged.Slice(i * columns, columns));
            }
        });
    }
}
