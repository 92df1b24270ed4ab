namespace ModelZoo.Plugins.LanguageModels.Tests.Shared;

public class BoundaryLossTests
{
    [Theory, InlineData(0, 5, 0.2), InlineData(3, 7, 0.1), InlineData(6, 6, 0.5)]
    public void LogBinomial_SmallNumbers_EqualsTheProduct(int count, int places, double prior)
    {
        var choices = Enumerable.Range(0, count).Aggregate(1.0, (product, i) => product * (places - i) / (i + 1));
        Assert.Equal(Math.Log(choices * Math.Pow(prior, count) * Math.Pow(1 - prior, places - count)), BoundaryLoss.LogBinomial(count, places, prior), 1e-9);
    }

    [Fact]
    public void CrossEntropy_Probabilities_StandWhereLogitsDo()
    {
        static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
        Assert.Equal(-(Math.Log(Sigmoid(0.25f)) + Math.Log(1 - Sigmoid(0.75f))) / 2, BoundaryLoss.CrossEntropy([0.25f, 0.75f], [true, false]), 1e-9);
    }
}
