using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Parity.Tests;

public class ParityRunnerTests
{
    private static Tensor F(params float[] values) => Tensor.Create(values, values.Length);

    private static Tensor I(params long[] values) => Tensor.Create(values, values.Length);

    [Fact]
    public async Task Run_EveryOutputAgrees_Passes()
    {
        using var @case = new TestCase().Input("x", F(1, 2)).Call("forward", """{"x": "x", "steps": 3}""", """{"y": "y", "codes": "codes"}""").Expect("y", F(2, 4)).Expect("codes", I(5)).Exact("codes");
        var report = await @case.RunAsync((call, arguments) =>
        {
            Assert.Equal("forward", call);
            Assert.Equal(3, arguments.Literal<int>("steps"));
            return new CallResults().Add("y", F([.. arguments.Tensor<float>("x").Span.ToArray().Select(x => 2 * x)])).Add("codes", I(5)).Add("more", F(1));
        });
        Assert.Equal((ParityStatus.Pass, null, 2), (report.Status, report.Message, report.Outputs.Count));
    }

    [Fact]
    public async Task Run_ReferenceOfTheCase_IsASettingThatNoModelNeedsToKnow()
    {
        using var @case = new TestCase().Call("forward", "{}", """{"y": "y"}""").Expect("y", F(1));
        @case.Json["reference"] = "authors/code@1:net.py:Net";
        Assert.Equal(ParityStatus.Pass, (await @case.RunAsync((_, _) => new CallResults().Add("y", F(1)))).Status);
    }

    [Theory]
    [InlineData(2.0f, 4.0003f, ParityStatus.Pass)]
    [InlineData(2.0f, 4.0009f, ParityStatus.Fail)]
    [InlineData(2.0f, float.NaN, ParityStatus.Fail)]
    [InlineData(2.0f, float.PositiveInfinity, ParityStatus.Fail)]
    public async Task Run_RealOutput_IsHeldToTheDefaultTolerance(float first, float second, ParityStatus status)
    {
        using var @case = new TestCase().Call("forward", "{}", """{"y": "y"}""").Expect("y", F(2, 4));
        Assert.Equal(status, (await @case.RunAsync((_, _) => new CallResults().Add("y", F(first, second)))).Status);
    }

    [Fact]
    public async Task Run_OwnTolerance_ReplacesTheDefault()
    {
        using var @case = new TestCase().Call("forward", "{}", """{"y": "y"}""").Expect("y", F(2, 4)).Tolerance("y", 0.01);
        Assert.Equal(ParityStatus.Pass, (await @case.RunAsync((_, _) => new CallResults().Add("y", F(2, 4.03f)))).Status);
    }

    [Theory]
    [InlineData(WeightPrecision.Int8, 4.03f, ParityStatus.Pass, 0.01)]
    [InlineData(WeightPrecision.Int8, 4.05f, ParityStatus.Fail, 0.01)]
    [InlineData(WeightPrecision.Int4, 4.5f, ParityStatus.Pass, 0.15)]
    [InlineData(WeightPrecision.Int4, 4.7f, ParityStatus.Fail, 0.15)]
    public async Task Run_WeightsInFewerBits_AreHeldToWhatTheirPrecisionStates(WeightPrecision precision, float second, ParityStatus status, double tolerance)
    {
        using var @case = new TestCase().Call("forward", "{}", """{"y": "y", "strict": "strict"}""").Expect("y", F(2, 4)).Expect("strict", F(2, 4)).Tolerance("strict", 1e-3);
        var report = await @case.RunAsync((_, _) => new CallResults().Add("y", F(2, second)).Add("strict", F(2, second)), precision);
        Assert.Equal(status, report.Status);
        Assert.All(report.Outputs, output => Assert.Equal(tolerance, output.Tolerance));
        Assert.Equal((precision.Name(), tolerance), ((string?)report.ToJson()["precision"], (double)report.ToJson()["precision_tolerance"]!));
    }

    [Fact]
    public async Task Run_WeightsInFewerBits_WhatMustBeEqualMustBeEqual()
    {
        using var @case = new TestCase().Call("forward", "{}", """{"ids": "ids", "y": "y", "wide": "wide"}""").Expect("ids", I(1000)).Expect("y", F(4)).Exact("y").Expect("wide", F(1)).Tolerance("wide", 0.5);
        var report = await @case.RunAsync((_, _) => new CallResults().Add("ids", I(1001)).Add("y", F(4.0001f)).Add("wide", F(1.4f)), WeightPrecision.Int4);
        Assert.Equal([false, false, true], report.Outputs.Select(output => output.Passes));
        Assert.Equal(0.5, report.Outputs[2].Tolerance);
    }

    [Fact]
    public async Task Run_IntegersOrShapesOrTypesDiffer_Fails()
    {
        using var @case = new TestCase().Call("forward", "{}", """{"y": "y"}""").Expect("y", I(100_000, 100_001));
        Assert.Equal(ParityStatus.Fail, (await @case.RunAsync((_, _) => new CallResults().Add("y", I(100_000, 100_002)))).Status);
        Assert.Equal(ParityStatus.Fail, (await @case.RunAsync((_, _) => new CallResults().Add("y", I(100_000)))).Status);
        Assert.Equal(ParityStatus.Fail, (await @case.RunAsync((_, _) => new CallResults().Add("y", F(100_000, 100_001)))).Status);
        Assert.Equal(ParityStatus.Fail, (await @case.RunAsync((_, _) => new CallResults().Add("y", I(100_000, 100_001).Reshape(2, 1)))).Status);
    }

    [Fact]
    public async Task Run_InputThatNoCallNames_ComesAlongAndNeedNotBeUsed()
    {
        using var @case = new TestCase().Input("x", F(1)).Input("table", F(3)).Call("first", """{"x": "x"}""", """{"y": "y"}""").Call("second", "{}", """{"z": "z"}""").Expect("y", F(1)).Expect("z", F(3));
        var report = await @case.RunAsync((call, arguments) => call == "first" ? new CallResults().Add("y", arguments.Tensor<float>("x")) : new CallResults().Add("z", arguments.Tensor<float>("table")));
        Assert.Equal((ParityStatus.Pass, null), (report.Status, report.Message));
    }

    [Fact]
    public async Task Run_OutputMissing_FailsAndNamesIt()
    {
        using var @case = new TestCase().Call("forward", "{}", """{"y": "y", "stage": "stage"}""").Expect("y", F(1)).Expect("stage", F(1));
        var report = await @case.RunAsync((_, _) => new CallResults().Add("y", F(1)));
        Assert.Equal(ParityStatus.Fail, report.Status);
        Assert.Contains("forward gave no stage", report.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_ExpectedTensorThatNoCallNames_Fails()
    {
        using var @case = new TestCase().Call("forward", "{}", """{"y": "y"}""").Expect("y", F(1)).Expect("forgotten", F(1));
        var report = await @case.RunAsync((_, _) => new CallResults().Add("y", F(1)));
        Assert.Equal(ParityStatus.Fail, report.Status);
        Assert.Contains("forgotten", report.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_NoOutputsAtAll_Fails()
    {
        using var @case = new TestCase();
        Assert.Equal(ParityStatus.Fail, (await @case.RunAsync((_, _) => new CallResults())).Status);
    }

    [Fact]
    public async Task Run_UnknownOptionOrCallOrArchitecture_IsUnsupported()
    {
        using var option = new TestCase().Call("forward", """{"guidance": 2.5}""", """{"y": "y"}""").Expect("y", F(1));
        var report = await option.RunAsync((_, _) => new CallResults().Add("y", F(1)));
        Assert.Equal(ParityStatus.Unsupported, report.Status);
        Assert.Contains("guidance", report.Message, StringComparison.Ordinal);

        Assert.Equal(ParityStatus.Unsupported, (await option.RunAsync((_, _) => throw new ModelZooException(ErrorCodes.VerbUnsupported, "No such call."))).Status);
        option.Json["model"] = "test/other";
        Assert.Equal(ParityStatus.Unsupported, (await option.RunAsync((_, _) => new CallResults())).Status);
    }

    [Fact]
    public async Task Run_ModelThrowsOrCaseIsBroken_IsAnError()
    {
        using var @case = new TestCase().Call("forward", "{}", """{"y": "y"}""").Expect("y", F(1));
        var report = await @case.RunAsync((_, _) => throw new InvalidOperationException("broken"));
        Assert.Equal(ParityStatus.Error, report.Status);
        Assert.Contains("InvalidOperationException: broken", report.Message, StringComparison.Ordinal);

        @case.Json.Remove("calls");
        Assert.Equal(ParityStatus.Error, (await @case.RunAsync((_, _) => new CallResults())).Status);
    }

    [Fact]
    public async Task Run_ArgumentKinds_ArriveAsTheyAreMeant()
    {
        using var @case = new TestCase().Input("a", F(1)).Input("b", F(2)).File("in.jsonl", "{\"t\":\"\u0085 \\u2028\"}\n{\"t\":2}\n")
            .Call("forward", """{"list": ["a", "b"], "names": ["a", "z"], "lines": "in.jsonl", "all": "inputs.safetensors", "word": "descent", "none": null, "nested": {"2": 3}}""", """{"y": "y"}""").Expect("y", F(1));
        var report = await @case.RunAsync((_, arguments) =>
        {
            Assert.Equal(2, arguments.TensorList("list").Count);
            Assert.Equal(["a", "z"], arguments.Literal<string[]>("names"));
            Assert.Equal(2, arguments.Lines("lines").Count);
            Assert.Equal(["a", "b"], arguments.TensorTable("all").Keys);
            Assert.Equal("descent", arguments.Literal<string>("word"));
            Assert.False(arguments.Has("none"));
            Assert.Equal(3, arguments.Json("nested").GetProperty("2").GetInt32());
            return new CallResults().Add("y", 1.0);
        });
        Assert.Equal((ParityStatus.Pass, null), (report.Status, report.Message));
    }

    [Fact]
    public async Task ToJson_FailedCase_HasTheDocumentedKeys()
    {
        using var @case = new TestCase().Call("forward", "{}", """{"y": "y"}""").Expect("y", F(2));
        var json = (await @case.RunAsync((_, _) => new CallResults().Add("y", F(float.NaN)))).ToJson();
        Assert.Equal(["case", "model", "status", "outputs", "message"], json.Select(pair => pair.Key));
        Assert.Equal("fail", (string?)json["status"]);
        Assert.Equal("""{"name":"y","difference":null,"tolerance":0.0001,"exact":false}""", json["outputs"]![0]!.ToJsonString());
    }
}
