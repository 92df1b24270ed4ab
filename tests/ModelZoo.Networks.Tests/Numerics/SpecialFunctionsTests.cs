using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Tests.Numerics;

public sealed class SpecialFunctionsTests
{
    [Theory]
    [InlineData(0.6, 0.6)]
    [InlineData(2, 5)]
    [InlineData(0.5, 3)]
    public void IncompleteBeta_AgainstNumericalIntegration_Agrees(double a, double b)
    {
        // Substituting t = u^(1/a) takes the singularity at zero away.
        double Integral(double x)
        {
            const int Steps = 200_000;
            var (top, sum) = (Math.Pow(x, a), 0.0);
            for (var i = 0; i < Steps; i++) sum += Math.Pow(1 - Math.Pow((i + 0.5) / Steps * top, 1 / a), b - 1);
            return sum * top / Steps / a;
        }

        var whole = Math.Exp(SpecialFunctions.LogGamma(a) + SpecialFunctions.LogGamma(b) - SpecialFunctions.LogGamma(a + b));
        foreach (var x in new[] { 0.01, 0.3, 0.5, 0.8 }) Assert.Equal(Integral(x) / whole, SpecialFunctions.IncompleteBeta(a, b, x), 1e-6);
    }

    [Fact]
    public void InverseIncompleteBeta_OfAValue_GivesItBack()
    {
        for (var i = 1; i < 40; i++)
        {
            var x = SpecialFunctions.InverseIncompleteBeta(0.6, 0.6, i / 40.0);
            Assert.Equal(i / 40.0, SpecialFunctions.IncompleteBeta(0.6, 0.6, x), 1e-12);
        }
    }

    [Fact]
    public void LogGamma_WholeNumbers_AreFactorials()
    {
        var factorial = 1.0;
        for (var n = 1; n < 20; n++)
        {
            Assert.Equal(Math.Log(factorial), SpecialFunctions.LogGamma(n), 1e-11);
            factorial *= n;
        }
    }
}
