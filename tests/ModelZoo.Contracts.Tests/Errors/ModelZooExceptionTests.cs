namespace ModelZoo.Contracts.Tests.Errors;

public class ModelZooExceptionTests
{
    [Fact]
    public void Message_SaysWhatWhereExpectedFoundAndRemedy() => Assert.Equal(
        "It broke. At: a.bin. Expected: 1. Found: 2. Try again.",
        new ModelZooException("x.y", "It broke.") { Where = "a.bin", Expected = "1", Found = "2", Remedy = "Try again." }.Message);

    [Fact]
    public void ErrorCodes_AreUniqueAndStable()
    {
        var codes = typeof(ErrorCodes).GetFields().Select(field => (string)field.GetRawConstantValue()!).ToArray();
        Assert.Equal(codes.Length, codes.Distinct().Count());
        Assert.All(codes, code => Assert.Matches("^[a-z]+\\.[a-z-]+$", code));
    }
}
