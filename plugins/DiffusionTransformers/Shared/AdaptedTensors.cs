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

/// <summary>A low-rank change of a weight.</summary>
/// <param name="Down">(r, in).</param>
/// <param name="Up">(out, r).</param>
/// <param name="Scale">Its factor.</param>
internal sealed record LowRank(WeightData Down, WeightData Up, float Scale);

/// <summary>Base weights with low-rank additions merged in: W + scale B A (LoRA, Hu et al., arXiv:2106.09685).</summary>
/// <param name="source">The base.</param>
/// <param name="lora">The file of the additions.</param>
/// <param name="scale">Their factor.</param>
/// <param name="find">The addition to the weight of a module, by the module's name; null where it has none.</param>
internal sealed class LoraTensors(ITensorSource source, ITensorSource lora, float scale, Func<string, LowRank?> find) : ITensorSource
{
    /// <summary>Additions under diffusers' names: <c>PREFIX.NAME.lora_A.weight</c> and <c>lora_B</c>.</summary>
    public static LoraTensors Diffusers(ITensorSource source, ITensorSource lora, float scale, string prefix) => new(source, lora, scale, module =>
        lora.Find($"{prefix}{module}.lora_A.weight") is { } down && lora.Find($"{prefix}{module}.lora_B.weight") is { } up ? new(down, up, scale) : null);

    /// <summary>Additions under the names of kohya's sd-scripts: <c>lora_unet_NAME.lora_down.weight</c>, <c>lora_up</c> and <c>alpha</c>, with underscores for dots; alpha over the rank is a further factor.</summary>
    public static LoraTensors Kohya(ITensorSource source, ITensorSource lora, float scale) => new(source, lora, scale, module =>
    {
        var name = $"lora_unet_{module.Replace('.', '_')}";
        if (lora.Find($"{name}.lora_down.weight") is not { } down || lora.Find($"{name}.lora_up.weight") is not { } up) return null;
        var alpha = lora.Find($"{name}.alpha") is { } given ? WeightConversion.ToFloat32(given).Span<float>()[0] : down.Shape[0];
        return new(down, up, scale * alpha / down.Shape[0]);
    });

    /// <inheritdoc/>
    public string Origin => $"{source.Origin} + {scale} x {lora.Origin}";

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors => source.Tensors;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Unused => lora.Unused;

    /// <inheritdoc/>
    public WeightData? Find(string name) =>
        source.Find(name) is { } weight && name.EndsWith(".weight", StringComparison.Ordinal) && find(name[..^".weight".Length]) is { } change ? Derive($"{name}:lora", () => Merge(WeightConversion.ToFloat32(weight), change)) : source.Find(name);

    /// <inheritdoc/>
    public WeightData Derive(string key, Func<WeightData> make) => source.Derive($"{key}@{Origin}", make);

    private static WeightData Merge(WeightData weight, LowRank change)
    {
        var (down, up) = (WeightConversion.ToFloat32(change.Down), WeightConversion.ToFloat32(change.Up));
        var (rows, columns, rank) = ((int)up.Shape[0], (int)down.Shape[1], (int)down.Shape[0]);
        return WeightData.Create<float>(weight.Shape, merged =>
        {
            weight.Span<float>().CopyTo(merged);
            for (var i = 0; i < rows; i++)
            {
                for (var r = 0; r < rank; r++) System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(down.Span<float>().Slice(r * columns, columns), change.Scale * up.Span<float>()[i * rank + r], merged.Slice(i * columns, columns), merged.Slice(i * columns, columns));
            }
        });
    }
}
