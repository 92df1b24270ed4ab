namespace ModelZoo.Host.Commands.Tests;

/// <summary>Figures of an evaluation as people read them.</summary>
public sealed class EvaluationTableTests
{
    [Theory]
    [InlineData(0.0, "0")]
    [InlineData(-3.6e-15, "0")]
    [InlineData(11.53149, "11.5315")]
    [InlineData(-0.25, "-0.25")]
    [InlineData(0.0000123456, "1.23E-05")]
    [InlineData(6411.2824, "6411.2824")]
    [InlineData(double.NaN, "NaN")]
    public void Figure_Value_HasAsManyDigitsAsMatter(double value, string shown) => Assert.Equal(shown, EvaluationTable.Figure(new(value, 1, null)));
}
