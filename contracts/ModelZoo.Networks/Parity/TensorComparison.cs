using ModelZoo.Contracts;

namespace ModelZoo.Networks.Parity;

/// <summary>Compares a computed tensor with an expected one.</summary>
public static class TensorComparison
{
    /// <summary>
    /// <c>max|a-b| / (1e-6 + max|b|)</c> against a tolerance; integers, and what must be exact, by equality. Type (real or integer), shape and the places of NaN and infinity must agree.
    /// A single element counts as [1] and as a scalar alike.
    /// </summary>
    public static ParityOutput Compare(string name, Tensor actual, Tensor expected, bool exact, double? tolerance)
    {
        exact |= tolerance is null && !expected.Type.IsFloat();
        var limit = exact ? 0 : tolerance ?? ParityCase.DefaultTolerance;
        if (actual.Type.IsFloat() != expected.Type.IsFloat() || !SameShape(actual, expected))
            return new(name, double.NaN, limit, exact, $"{name} is {actual}, expected {expected}");

        var (difference, at, ours, theirs) = expected.Type.IsFloat() ? Reals(actual, expected) : Integers(actual, expected);
        string? problem = double.IsNaN(difference) || difference > limit
            ? FormattableString.Invariant($"{name} differs by {difference:0.##e+0}, allowed {limit:0.##e+0}: element {at} is {ours}, expected {theirs}")
            : null;
        return new(name, difference, limit, exact, problem);
    }

    private static bool SameShape(Tensor a, Tensor b) => a.Shape.SequenceEqual(b.Shape) || (a.Length == 1 && b.Length == 1 && a.Rank <= 1 && b.Rank <= 1);

    private static (double Difference, string At, double Ours, double Theirs) Reals(Tensor actual, Tensor expected)
    {
        var (worst, largest, at) = (0.0, 0.0, 0);
        for (var i = 0; i < expected.Length; i++)
        {
            var (a, b) = (Real(actual, i), Real(expected, i));
            if (a == b || (double.IsNaN(a) && double.IsNaN(b)))
            {
                if (double.IsFinite(b)) largest = Math.Max(largest, Math.Abs(b));
                continue;
            }

            if (!double.IsFinite(a) || !double.IsFinite(b)) return (double.NaN, Position(expected, i), a, b);
            largest = Math.Max(largest, Math.Abs(b));
            if (Math.Abs(a - b) > worst) (worst, at) = (Math.Abs(a - b), i);
        }

        return expected.Length == 0 ? (0, "", 0, 0) : (worst / (1e-6 + largest), Position(expected, at), Real(actual, at), Real(expected, at));
    }

    private static (double Difference, string At, double Ours, double Theirs) Integers(Tensor actual, Tensor expected)
    {
        var (worst, largest, at) = (0.0, 0.0, 0);
        for (var i = 0; i < expected.Length; i++)
        {
            var (a, b) = (Integer(actual, i), Integer(expected, i));
            largest = Math.Max(largest, Math.Abs((double)b));
            var apart = Math.Abs((double)(a - b));
            if (apart > worst) (worst, at) = (apart, i);
        }

        return expected.Length == 0 ? (0, "", 0, 0) : (worst / (1e-6 + largest), Position(expected, at), (double)Integer(actual, at), (double)Integer(expected, at));
    }

    private static string Position(Tensor tensor, int flat)
    {
        var index = new long[tensor.Rank];
        for (var i = tensor.Rank - 1; i >= 0; i--) (flat, index[i]) = ((int)(flat / tensor.Shape[i]), flat % tensor.Shape[i]);
        return $"[{string.Join(", ", index)}]";
    }

    private static double Real(Tensor tensor, int i) => tensor switch
    {
        Tensor<float> t => t.Span[i],
        Tensor<double> t => t.Span[i],
        Tensor<Half> t => (double)t.Span[i],
        _ => throw new ModelZooException(ErrorCodes.TensorType, "These elements cannot be compared.") { Found = tensor.ToString() },
    };

    private static Int128 Integer(Tensor tensor, int i) => tensor switch
    {
        Tensor<long> t => t.Span[i],
        Tensor<int> t => t.Span[i],
        Tensor<short> t => t.Span[i],
        Tensor<sbyte> t => t.Span[i],
        Tensor<ulong> t => t.Span[i],
        Tensor<uint> t => t.Span[i],
        Tensor<ushort> t => t.Span[i],
        Tensor<byte> t => t.Span[i],
        Tensor<bool> t => t.Span[i] ? 1 : 0,
        _ => throw new ModelZooException(ErrorCodes.TensorType, "These elements cannot be compared.") { Found = tensor.ToString() },
    };
}
