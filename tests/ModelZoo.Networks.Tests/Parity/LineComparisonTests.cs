using ModelZoo.Contracts;

namespace ModelZoo.Networks.Parity.Tests;

public class LineComparisonTests
{
    private static async Task<ParityReport> RunAsync(string expected, string actual, Action<TestCase>? more = null, string result = "lines")
    {
        using var @case = new TestCase().File("expected.jsonl", expected + "\n").Call("encode", "{}", $$"""{"{{result}}": "expected.jsonl"}""");
        more?.Invoke(@case);
        return await @case.RunAsync((_, _) => new CallResults().Add(result, TestCase.Lines(actual.Split('\n'))));
    }

    [Theory]
    [InlineData("""{"ids":[1,2],"decoded":"a"}""", """{"ids":[1,2],"decoded":"a","extra":1}""", ParityStatus.Pass)]
    [InlineData("""{"ids":[1,2]}""", """{"ids":[1,3]}""", ParityStatus.Fail)]
    [InlineData("""{"ids":[1,2]}""", """{"tokens":[]}""", ParityStatus.Fail)]
    [InlineData("""{"ids":[1,2]}""", "{\"ids\":[1,2]}\n{\"ids\":[]}", ParityStatus.Fail)]
    [InlineData("""{"ids":[1],"decoded":"a"}""", """{"ids":[1],"decoded":"a","decoded_with_special":"a"}""", ParityStatus.Pass)]
    [InlineData("""{"ids":[1],"decoded":"a"}""", """{"ids":[1],"decoded":"a","decoded_with_special":"<s>a"}""", ParityStatus.Fail)]
    [InlineData("""{"ids":[1,2]}""", """{"ids":[1,2],"attention_mask":[1,1],"type_ids":[0,0]}""", ParityStatus.Pass)]
    [InlineData("""{"ids":[1,2]}""", """{"ids":[1,2],"attention_mask":[1,0]}""", ParityStatus.Fail)]
    [InlineData("""{"map":{"30":[1]}}""", """{"map":{"30":[1],"31":[2]}}""", ParityStatus.Fail)]
    [InlineData("""{"batch":[{"ids":[1]}]}""", """{"batch":[{"ids":[1],"attention_mask":[1]}]}""", ParityStatus.Pass)]
    [InlineData("""["a","b"]""", """["a","c"]""", ParityStatus.Fail)]
    [InlineData("""{"size":1.0}""", """{"size":1}""", ParityStatus.Pass)]
    [InlineData("""{"size":1.0}""", """{"size":1.0000001}""", ParityStatus.Fail)]
    [InlineData("""{"error":"refused"}""", """{"error":"another text"}""", ParityStatus.Pass)]
    [InlineData("""{"error":"refused"}""", """{"ids":[1]}""", ParityStatus.Fail)]
    [InlineData("""{"ids":[1]}""", """{"ids":[1],"error":"refused"}""", ParityStatus.Fail)]
    public async Task Compare_WithoutTolerance_WantsEquality(string expected, string actual, ParityStatus status) =>
        Assert.Equal(status, (await RunAsync(expected, actual)).Status);

    [Theory]
    [InlineData("[1]\n[2]", ParityStatus.Pass)]
    [InlineData("[1]\n[2]\n[3]", ParityStatus.Pass)]
    [InlineData("[1]", ParityStatus.Fail)]
    [InlineData("[2]\n[1]\n[3]", ParityStatus.Fail)]
    [InlineData("[1]\n[3]\n[2]", ParityStatus.Fail)]
    public async Task Compare_LinesThatMayGoOn_BeginWithTheExpectedOnes(string actual, ParityStatus status)
    {
        using var @case = new TestCase().File("expected.jsonl", "[1]\n[2]\n").Call("train", "{}", """{"events": "expected.jsonl"}""");
        Assert.Equal(status, (await @case.RunAsync((_, _) => new CallResults().AddOngoing("events", TestCase.Lines(actual.Split('\n'))))).Status);
    }

    [Theory]
    [InlineData("""{"loss":[2.0,1.0]}""", """{"loss":[2.001,1.0]}""", ParityStatus.Pass)]
    [InlineData("""{"loss":[2.0,1.0]}""", """{"loss":[2.01,1.0]}""", ParityStatus.Fail)]
    [InlineData("""{"loss":[2.0,1.0]}""", """{"loss":[2.0]}""", ParityStatus.Fail)]
    [InlineData("""{"best":{"name":"a","loss":3}}""", """{"best":{"name":"a","loss":3.001}}""", ParityStatus.Pass)]
    [InlineData("""{"best":{"name":"a","loss":3}}""", """{"best":{"name":"b","loss":3}}""", ParityStatus.Fail)]
    public async Task Compare_KeyWithTolerance_ComparesNumbers(string expected, string actual, ParityStatus status) =>
        Assert.Equal(status, (await RunAsync(expected, actual, @case => @case.Tolerance("loss", 1e-3))).Status);

    [Theory]
    [InlineData("""[{"ids":[2],"score":-1.00002},{"ids":[1],"score":-1.0},{"ids":[3],"score":-2.0}]""", ParityStatus.Pass)]
    [InlineData("""[{"ids":[1],"score":-1.0},{"ids":[3],"score":-2.0},{"ids":[2],"score":-1.00002}]""", ParityStatus.Fail)]
    [InlineData("""[{"ids":[1],"score":-1.0},{"ids":[4],"score":-1.00002},{"ids":[3],"score":-2.0}]""", ParityStatus.Fail)]
    public async Task Compare_Candidates_ChangePlacesOnlyWhenTheirScoresAreNear(string actual, ParityStatus status) =>
        Assert.Equal(status, (await RunAsync("""{"nbests":[{"ids":[1],"score":-1.0},{"ids":[2],"score":-1.00002},{"ids":[3],"score":-2.0}]}""",
            $$"""{"nbests":{{actual}}}""", @case => @case.Tolerance("nbests", 1e-4))).Status);

    [Fact]
    public async Task Compare_CoversInAnyOrder_Passes() =>
        Assert.Equal(ParityStatus.Pass, (await RunAsync("""{"covers":[{"ids":[1,2],"bytes":"x","logprob":-1.5},{"ids":[3],"bytes":"y","logprob":-2.5}]}""",
            """{"covers":[{"ids":[3],"bytes":"y","logprob":-2.50001},{"ids":[1,2],"bytes":"x","logprob":-1.5}]}""", @case => @case.Tolerance("covers", 1e-4))).Status);

    [Theory]
    [InlineData("{\"token\":\"b\"}\n{\"token\":\"a\"}\n{\"token\":\"z\"}", ParityStatus.Pass)]
    [InlineData("{\"token\":\"a\"}\n{\"token\":\"x\"}\n{\"token\":\"z\"}", ParityStatus.Fail)]
    [InlineData("{\"token\":\"a\"}\n{\"token\":\"b\"}", ParityStatus.Fail)]
    public async Task Compare_StableLines_AreASet(string actual, ParityStatus status) =>
        Assert.Equal(status, (await RunAsync("{\"id\":0,\"token\":\"a\",\"stable\":true}\n{\"id\":1,\"token\":\"b\",\"stable\":true}\n{\"id\":2,\"token\":\"c\",\"stable\":false}", actual, result: "vocabulary")).Status);

    [Theory]
    [InlineData(0.5, ParityStatus.Pass)]
    [InlineData(0.4, ParityStatus.Fail)]
    public async Task Compare_StableLinesWithAShare_MayLackIt(double share, ParityStatus status) =>
        Assert.Equal(status, (await RunAsync("{\"token\":\"a\",\"score\":-1.0,\"stable\":true}\n{\"token\":\"b\",\"score\":-1.0,\"stable\":true}",
            "{\"token\":\"a\",\"score\":-1.0001}\n{\"token\":\"x\",\"score\":-9.0}", @case => @case.Tolerance("vocabulary", share).Tolerance("score", 1e-3), "vocabulary")).Status);

    [Fact]
    public async Task Compare_LinesOfEqualFrequency_MayChangePlaces()
    {
        const string Expected = "{\"word\":\"a\",\"frequency\":2.0,\"copies\":4}\n{\"word\":\"b\",\"frequency\":1.0,\"copies\":1}\n{\"word\":\"c\",\"frequency\":1.0,\"copies\":2}";
        Assert.Equal(ParityStatus.Pass, (await RunAsync(Expected, "{\"word\":\"a\",\"frequency\":2,\"copies\":4}\n{\"word\":\"c\",\"frequency\":1,\"copies\":2}\n{\"word\":\"b\",\"frequency\":1,\"copies\":1}")).Status);
        Assert.Equal(ParityStatus.Fail, (await RunAsync(Expected, "{\"word\":\"b\",\"frequency\":1,\"copies\":1}\n{\"word\":\"a\",\"frequency\":2,\"copies\":4}\n{\"word\":\"c\",\"frequency\":1,\"copies\":2}")).Status);
    }

    [Theory]
    [InlineData("[0.3,0.7]", ParityStatus.Pass)]
    [InlineData("[0.1,0.9]", ParityStatus.Fail)]
    public async Task Compare_BetweenBounds_IsFree(string weights, ParityStatus status) =>
        Assert.Equal(status, (await RunAsync("""{"weights":[0.5,0.5],"weights_low":[0.2,0.5],"weights_high":[0.5,0.8]}""", $$"""{"weights":{{weights}}}""", @case => @case.Tolerance("weights", 1e-3))).Status);
}
