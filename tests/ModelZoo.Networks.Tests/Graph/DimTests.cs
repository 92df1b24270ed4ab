namespace ModelZoo.Networks.Tests.Graphs;

public class DimTests
{
    private static readonly Dim T = Dim.Symbol("t"), B = Dim.Symbol("b");

    [Fact]
    public void Equality_SameExpressionInAnotherOrder_IsEqual()
    {
        Assert.Equal(T * B + 3, 3 + B * T);
        Assert.NotEqual(T + 1, T);
    }

    [Fact]
    public void Division_OfMultiple_IsExact() => Assert.Equal(T, T * 4 / 4);

    [Fact]
    public void Division_SplitsWholeTermsOff() => Assert.Equal(T + 1, (4 * T + 7) / 4);

    [Fact]
    public void Division_ByAnExtent_IsExactOrRefused()
    {
        var rows = Dim.CeilDiv(T, 4);
        Assert.Equal(B, Quotient((T + 1) * (rows + 2) * B, (rows + 2) * (T + 1)));
        Assert.Equal(2 * T - 3, Quotient((2 * T - 3) * (B * B + T), B * B + T));
        Assert.Equal(T * 2, Quotient(T * 6, 3));
        Assert.Null(Quotient(T * B + 1, T));
        Assert.Null(Quotient(rows * 4, T));
        Assert.Null(Quotient(T * 3, 2));
    }

    // An open extent of a reshape is what division leaves.
    private static Dim? Quotient(Dim dividend, Dim divisor)
    {
        var graph = new Graph("g");
        try
        {
            graph.Input("symbols", [B, T]);
            return graph.Input("x", [dividend]).Reshape(-1, divisor).Shape[0];
        }
        catch (Contracts.GraphException)
        {
            return null;
        }
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(10, 3)]
    [InlineData(97, 5)]
    public void Evaluate_AnyExpression_EqualsArithmetic(long t, long b)
    {
        var dim = ((T + 6) / 4 + B * 2) * (T - 1) + Dim.CeilDiv(T * B, 3);
        Assert.Equal(((t + 6) / 4 + b * 2) * (t - 1) + (t * b + 2) / 3, dim.Evaluate(name => name == "t" ? t : b));
    }
}
