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
