using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Parts of tensors along an axis.</summary>
internal static class TensorParts
{
    /// <summary>Elements <paramref name="start"/> up to <paramref name="end"/> of an axis.</summary>
    public static Tensor<T> Part<T>(this Tensor<T> tensor, int axis, int start, int end) where T : unmanaged
    {
        var (outer, extent, inner) = Extents(tensor, axis);
        var shape = tensor.Shape.ToArray();
        shape[axis] = end - start;
        var part = Tensor.Zeros<T>(shape);
        for (var i = 0; i < outer; i++) tensor.Span.Slice((i * extent + start) * inner, (end - start) * inner).CopyTo(part.Span[(i * (end - start) * inner)..]);
        return part;
    }

    /// <summary>Tensors one after the other along an axis.</summary>
    public static Tensor<T> Concat<T>(int axis, params IReadOnlyList<Tensor<T>> parts) where T : unmanaged
    {
        var shape = parts[0].Shape.ToArray();
        shape[axis] = parts.Sum(part => part.Shape[axis]);
        var whole = Tensor.Zeros<T>(shape);
        var at = 0;
        for (var i = 0; i < Extents(whole, axis).Outer; i++)
        {
            foreach (var part in parts)
            {
                var (_, extent, inner) = Extents(part, axis);
                part.Span.Slice(i * extent * inner, extent * inner).CopyTo(whole.Span[at..]);
                at += extent * inner;
            }
        }

        return whole;
    }

    private static (int Outer, int Extent, int Inner) Extents(Tensor tensor, int axis) =>
        ((int)Tensor.Count(tensor.Shape[..axis]), (int)tensor.Shape[axis], (int)Tensor.Count(tensor.Shape[(axis + 1)..]));
}
