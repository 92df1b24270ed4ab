using System.Collections;
using System.Runtime.CompilerServices;

namespace ModelZoo.Networks;

/// <summary>The extents of a tensor, outermost first. Negative axes count from the end.</summary>
[CollectionBuilder(typeof(Shape), nameof(Create))]
public sealed class Shape(ReadOnlySpan<Dim> dims) : IReadOnlyList<Dim>, IEquatable<Shape>
{
    private readonly Dim[] _dims = dims.ToArray();

    /// <summary>Number of dimensions.</summary>
    public int Rank => _dims.Length;

    int IReadOnlyCollection<Dim>.Count => Rank;

    /// <summary>The extent of an axis.</summary>
    public Dim this[int axis] => _dims[Axis(axis)];

    /// <summary>The extents from <paramref name="range"/>.</summary>
    public Shape this[Range range] => new(_dims.AsSpan()[range]);

    /// <summary>True when every extent is a number.</summary>
    public bool IsKnown => _dims.All(dim => dim.IsKnown);

    /// <summary>Product of the extents.</summary>
    public Dim Count => _dims.Aggregate((Dim)1, (product, dim) => product * dim);

    /// <summary>The extents as numbers.</summary>
    /// <exception cref="InvalidOperationException">One is symbolic.</exception>
    public long[] Sizes => [.. _dims.Select(dim => dim.Size)];

    /// <summary>An axis counted from the start.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such axis.</exception>
    public int Axis(int axis)
    {
        var positive = axis < 0 ? axis + Rank : axis;
        return (uint)positive < (uint)Rank ? positive : throw new ArgumentOutOfRangeException(nameof(axis), $"There is no axis {axis} in {this}.");
    }

    /// <summary>The same extents but for one axis.</summary>
    public Shape With(int axis, Dim dim)
    {
        var dims = _dims.ToArray();
        dims[Axis(axis)] = dim;
        return new(dims);
    }

    /// <summary>A shape of known extents.</summary>
    public static Shape Of(params ReadOnlySpan<long> sizes)
    {
        var dims = new Dim[sizes.Length];
        for (var i = 0; i < dims.Length; i++) dims[i] = sizes[i];
        return new(dims);
    }

    /// <summary>A shape from a collection expression.</summary>
    public static Shape Create(ReadOnlySpan<Dim> dims) => new(dims);

    /// <summary>The shape of an elementwise operation on two shapes, or null when they do not fit.</summary>
    public static Shape? Broadcast(Shape a, Shape b)
    {
        var rank = Math.Max(a.Rank, b.Rank);
        var dims = new Dim[rank];
        for (var i = 0; i < rank; i++)
        {
            Dim x = i < rank - a.Rank ? 1 : a._dims[i - (rank - a.Rank)], y = i < rank - b.Rank ? 1 : b._dims[i - (rank - b.Rank)];
            if (x != y && x != 1 && y != 1) return null;
            dims[i] = x == 1 ? y : x;
        }

        return new(dims);
    }

    /// <inheritdoc/>
    public bool Equals(Shape? other) => other is not null && _dims.AsSpan().SequenceEqual(other._dims);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Shape);

    /// <inheritdoc/>
    public override int GetHashCode() => _dims.Aggregate(Rank, HashCode.Combine);

    /// <inheritdoc/>
    public IEnumerator<Dim> GetEnumerator() => ((IEnumerable<Dim>)_dims).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join(", ", _dims)}]";
}
