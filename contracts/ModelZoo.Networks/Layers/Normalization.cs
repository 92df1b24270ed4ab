using System.Numerics.Tensors;
using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>Normalisations. Variances are biased, as in PyTorch.</summary>
public static class NormalizationLayers
{
    /// <summary>Layer norm over the last dimension, with <c>weight</c> and <c>bias</c> (D).</summary>
    public static Value LayerNorm(this Scope scope, Value x, double epsilon = 1e-5, bool bias = true)
    {
        var width = x.Shape[-1].Size;
        return scope.Node("LayerNormalization", [x, scope.Weight("weight", width), bias ? scope.Weight("bias", width) : null], x.Shape, ("axis", -1L), ("epsilon", (float)epsilon));
    }

    /// <summary>Layer norm over the last dimension without weights.</summary>
    public static Value LayerNorm(this Value x, double epsilon = 1e-5) =>
        x.Graph.Node(x.Path, "LayerNormalization", [x, Filled(x, x.Shape[-1].Size, 1)], x.Type, x.Shape, ("axis", -1L), ("epsilon", (float)epsilon));

    /// <summary>x / sqrt(mean(x^2) + eps) times <c>weight</c> + offset (D), over the last dimension; Gemma's offset is 1.</summary>
    public static Value RmsNorm(this Scope scope, Value x, double epsilon = 1e-6, double offset = 0)
    {
        var width = x.Shape[-1].Size;
        if (offset == 0) return x.RmsNorm(scope.Weight("weight", width), epsilon);
        var weight = scope.Data("weight", width);
        return x.RmsNorm(scope.Derive($"weight+{offset}", [width], target => TensorPrimitives.Add(weight.Span<float>(), (float)offset, target)), epsilon);
    }

    /// <summary>x / sqrt(mean(x^2) + eps) times a given weight (D).</summary>
    public static Value RmsNorm(this Value x, Value? weight = null, double epsilon = 1e-6) =>
        x.Graph.Node(x.Path, "RMSNormalization", [x, weight ?? Filled(x, x.Shape[-1].Size, 1)], x.Type, x.Shape, ("axis", -1L), ("epsilon", (float)epsilon));

    /// <summary>Group norm with <c>weight</c> and <c>bias</c> (C). x (B, C, ..).</summary>
    public static Value GroupNorm(this Scope scope, Value x, long groups, double epsilon = 1e-5)
    {
        var channels = x.Shape[1].Size;
        long[] perChannel = [channels, .. Enumerable.Repeat(1L, x.Rank - 2)];
        return x.GroupNorm(groups, epsilon) * scope.Graph.Weight($"{scope.Path}.weight", scope.Data("weight", channels).Reshape(perChannel), scope.Path)
             + scope.Graph.Weight($"{scope.Path}.bias", scope.Data("bias", channels).Reshape(perChannel), scope.Path);
    }

    /// <summary>Group norm without weights. x (B, C, ..).</summary>
    public static Value GroupNorm(this Value x, long groups, double epsilon = 1e-5)
    {
        if (x.Shape[1].Size % groups != 0) throw new GraphException("Groups of channels are equally large.") { Where = x.Path, Expected = $"channels that {groups} divides", Found = x.ToString() };
        var grouped = x.Reshape(x.Shape[0], groups, -1);
        return x.Graph.Node(x.Path, "InstanceNormalization", [grouped, Filled(x, groups, 1), Filled(x, groups, 0)], x.Type, grouped.Shape, ("epsilon", (float)epsilon)).Reshape([.. x.Shape]);
    }

    /// <summary>Batch norm as trained: (x - running_mean) / sqrt(running_var + eps) weight + bias, folded to one product and one sum. x (B, C, ..).</summary>
    public static Value BatchNorm(this Scope scope, Value x, double epsilon = 1e-5, bool affine = true)
    {
        var channels = x.Shape[1].Size;
        long[] perChannel = [channels, .. Enumerable.Repeat(1L, x.Rank - 2)];
        var (mean, variance) = (scope.Data("running_mean", channels), scope.Data("running_var", channels));
        var (weight, bias) = affine ? (scope.Data("weight", channels), scope.Data("bias", channels)) : (null, null);
        var scale = scope.Derive($"scale:{epsilon}:{affine}", perChannel, values =>
        {
            for (var i = 0; i < values.Length; i++) values[i] = (float)((weight?.Span<float>()[i] ?? 1) / Math.Sqrt(variance.Span<float>()[i] + epsilon));
        });
        var shift = scope.Derive($"shift:{epsilon}:{affine}", perChannel, values =>
        {
            for (var i = 0; i < values.Length; i++)
                values[i] = (float)((bias?.Span<float>()[i] ?? 0) - mean.Span<float>()[i] * (weight?.Span<float>()[i] ?? 1) / Math.Sqrt(variance.Span<float>()[i] + epsilon));
        });
        return x * scale + shift;
    }

    /// <summary>(1 + scale) x + shift: adaptive layer norm's modulation. x (B, N, D), shift and scale (B, D).</summary>
    public static Value Modulate(this Value x, Value shift, Value scale) => x * (scale.Unsqueeze(1) + 1) + shift.Unsqueeze(1);

    private static Value Filled(Value x, long count, float value)
    {
        var values = new float[count];
        Array.Fill(values, value);
        return x.Graph.Constant<float>(values, count);
    }
}
