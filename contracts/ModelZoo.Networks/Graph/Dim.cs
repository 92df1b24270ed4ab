using System.Collections.Immutable;

namespace ModelZoo.Networks;

/// <summary>
/// An extent of a tensor: a number, or an expression over symbols that a run decides (batch, frames...). Expressions are polynomials with whole coefficients over symbols and floored quotients, kept in a canonical form,
/// so that two extents are equal exactly when they are written equal.
/// </summary>
public readonly struct Dim : IEquatable<Dim>
{
    // Monomial (product of atoms, sorted) -> coefficient; the constant has the empty monomial. Null stands for the constant alone.
    private readonly ImmutableSortedDictionary<Monomial, long>? _terms;
    private readonly long _constant;

    private Dim(long constant) => _constant = constant;

    private Dim(ImmutableSortedDictionary<Monomial, long> terms, long constant)
    {
        _terms = terms.IsEmpty ? null : terms;
        _constant = constant;
    }

    /// <summary>An extent that a run decides.</summary>
    public static Dim Symbol(string name) => Of(new Atom(name, default, 0));

    /// <summary>True when the extent is a number.</summary>
    public bool IsKnown => _terms is null;

    /// <summary>The number, when it is one.</summary>
    /// <exception cref="InvalidOperationException">It is symbolic.</exception>
    public long Size => IsKnown ? _constant : throw new InvalidOperationException($"Extent {this} is only known at run time.");

    /// <summary>The number as an int.</summary>
    public int Int => checked((int)Size);

    internal long Constant => _constant;

    internal IEnumerable<(IReadOnlyList<Atom> Atoms, long Factor)> Terms => _terms is null ? [] : _terms.Select(term => ((IReadOnlyList<Atom>)term.Key.Atoms, term.Value));

    /// <summary>Factor and offset of the extent's only symbol.</summary>
    internal (long Factor, long Offset) Linear => (Terms.Single().Factor, _constant);

    /// <summary>A known extent.</summary>
    public static implicit operator Dim(long size) => new(size);

    /// <summary>Sum.</summary>
    public static Dim operator +(Dim a, Dim b)
    {
        if (a.IsKnown && b.IsKnown) return checked(a._constant + b._constant);
        var terms = (a._terms ?? Empty).ToBuilder();
        foreach (var (monomial, factor) in b._terms ?? Empty) Add(terms, monomial, factor);
        return new(terms.ToImmutable(), checked(a._constant + b._constant));
    }

    /// <summary>Difference.</summary>
    public static Dim operator -(Dim a, Dim b) => a + b * -1;

    /// <summary>Product.</summary>
    public static Dim operator *(Dim a, Dim b)
    {
        if (a.IsKnown && b.IsKnown) return checked(a._constant * b._constant);
        var terms = Empty.ToBuilder();
        foreach (var (monomial, factor) in a._terms ?? Empty)
        {
            Add(terms, monomial, checked(factor * b._constant));
            foreach (var (other, otherFactor) in b._terms ?? Empty) Add(terms, monomial.Times(other), checked(factor * otherFactor));
        }

        foreach (var (monomial, factor) in b._terms ?? Empty) Add(terms, monomial, checked(factor * a._constant));
        return new(terms.ToImmutable(), checked(a._constant * b._constant));
    }

    /// <summary>Quotient, rounded down. Terms that the divisor divides leave the floor.</summary>
    public static Dim operator /(Dim a, long divisor)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(divisor);
        var quotient = Math.DivRem(a._constant, divisor, out var rest);
        if (rest < 0) (quotient, rest) = (quotient - 1, rest + divisor);
        if (a.IsKnown) return quotient;
        var outside = Empty.ToBuilder();
        var inside = Empty.ToBuilder();
        foreach (var (monomial, factor) in a._terms!) (factor % divisor == 0 ? outside : inside)[monomial] = factor % divisor == 0 ? factor / divisor : factor;
        var whole = new Dim(outside.ToImmutable(), quotient);
        return inside.Count == 0 ? whole : whole + Of(new Atom(null, new Dim(inside.ToImmutable(), rest), divisor));
    }

    /// <summary>Quotient, rounded up.</summary>
    public static Dim CeilDiv(Dim a, long divisor) => (a + (divisor - 1)) / divisor;

    /// <summary>The extent that times <paramref name="divisor"/> is this one; null when there is none.</summary>
    internal Dim? DividedBy(Dim divisor)
    {
        Dim rest = this, quotient = 0;
        var (leading, factor) = divisor.Leading;
        while (rest != 0)
        {
            var (monomial, count) = rest.Leading;
            if (factor == 0 || count % factor != 0 || monomial.Without(leading) is not { } left) return null;
            var term = left.Atoms.IsEmpty ? count / factor : new Dim(Empty.Add(left, count / factor), 0);
            (quotient, rest) = (quotient + term, rest - term * divisor);
        }

        return quotient;
    }

    /// <summary>The value when the symbols have these sizes.</summary>
    public long Evaluate(Func<string, long> symbol)
    {
        var sum = _constant;
        foreach (var (atoms, factor) in Terms)
            sum = checked(sum + atoms.Aggregate(factor, (product, atom) => checked(product * (atom.Name is { } name ? symbol(name) : FloorDiv(atom.Inner.Evaluate(symbol), atom.Divisor)))));
        return sum;
    }

    /// <inheritdoc/>
    public bool Equals(Dim other) => _constant == other._constant && (_terms is null) == (other._terms is null) && (_terms is null || _terms.SequenceEqual(other._terms!));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Dim other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => IsKnown ? _constant.GetHashCode() : ToString().GetHashCode(StringComparison.Ordinal);

    /// <summary>Equality.</summary>
    public static bool operator ==(Dim a, Dim b) => a.Equals(b);

    /// <summary>Inequality.</summary>
    public static bool operator !=(Dim a, Dim b) => !a.Equals(b);

    /// <inheritdoc/>
    public override string ToString()
    {
        if (_terms is null) return _constant.ToString();
        var text = string.Join(" + ", _terms.Select(term => term.Value == 1 ? term.Key.ToString() : $"{term.Value}*{term.Key}"));
        return _constant == 0 ? text : $"{text} + {_constant}";
    }

    private static readonly ImmutableSortedDictionary<Monomial, long> Empty = ImmutableSortedDictionary<Monomial, long>.Empty;

    // The term of the highest degree, the first in the order of the alphabet: what division takes off first.
    private (Monomial Monomial, long Factor) Leading => _terms is null ? (new([]), _constant) : _terms.Select(term => (term.Key, term.Value)).Aggregate((a, b) => b.Key.Leads(a.Key) ? b : a);

    private static Dim Of(Atom atom) => new(Empty.Add(new([atom]), 1), 0);

    private static long FloorDiv(long a, long b) => Math.DivRem(a, b, out var rest) - (rest < 0 ? 1 : 0);

    private static void Add(ImmutableSortedDictionary<Monomial, long>.Builder terms, Monomial monomial, long factor)
    {
        var sum = checked(terms.GetValueOrDefault(monomial) + factor);
        if (sum == 0) terms.Remove(monomial);
        else terms[monomial] = sum;
    }

    /// <summary>A symbol, or floor(Inner / Divisor).</summary>
    internal sealed record Atom(string? Name, Dim Inner, long Divisor)
    {
        public override string ToString() => Name ?? $"floor(({Inner})/{Divisor})";
    }

    private sealed class Monomial(ImmutableArray<Atom> atoms) : IComparable<Monomial>, IEquatable<Monomial>
    {
        private readonly string _key = string.Join('*', atoms);

        public ImmutableArray<Atom> Atoms => atoms;

        public Monomial Times(Monomial other) => new([.. atoms.AddRange(other.Atoms).OrderBy(atom => atom.ToString(), StringComparer.Ordinal)]);

        /// <summary>What is left when the atoms of another are taken out; null when it has one that this lacks.</summary>
        public Monomial? Without(Monomial other)
        {
            var left = atoms.ToList();
            return other.Atoms.All(left.Remove) ? new([.. left]) : null;
        }

        /// <summary>Degree first, then atoms; products keep this order.</summary>
        public bool Leads(Monomial other)
        {
            if (atoms.Length != other.Atoms.Length) return atoms.Length > other.Atoms.Length;
            return atoms.Zip(other.Atoms, (mine, its) => string.CompareOrdinal(mine.ToString(), its.ToString())).FirstOrDefault(order => order != 0) < 0;
        }

        public int CompareTo(Monomial? other) => string.CompareOrdinal(_key, other?._key);

        public bool Equals(Monomial? other) => _key == other?._key;

        public override bool Equals(object? obj) => Equals(obj as Monomial);

        public override int GetHashCode() => _key.GetHashCode(StringComparison.Ordinal);

        public override string ToString() => _key;
    }
}
