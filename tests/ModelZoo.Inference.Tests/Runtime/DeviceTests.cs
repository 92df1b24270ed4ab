using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Runtime;

public sealed class DeviceTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>
{
    private readonly InferenceRuntime _runtime = fixture.Runtime;

    [Theory]
    [InlineData("cpu")]
    [InlineData("webgpu")]
    [InlineData("webgpu:1")]
    [InlineData("cuda")]
    [InlineData("cuda:3")]
    [InlineData("tensorrt")]
    [InlineData("auto")]
    public void Parse_WhatToStringWrites_GivesTheSame(string text) => Assert.Equal(text, Device.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("gpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:x")]
    [InlineData("cpu:0")]
    [InlineData("auto:1")]
    public void Parse_SomethingElse_SaysWhatIsRight(string text)
    {
        var error = Assert.Throws<OptionsException>(() => Device.Parse(text));

        Assert.Contains("webgpu[:n]", error.Expected);
        Assert.Equal(text, error.Found);
    }

    [Fact]
    public void Devices_Always_HaveTheProcessorAndReasonsForTheRest()
    {
        Assert.Contains(_runtime.Devices, d => d.Device == Device.Cpu && d.IsAvailable);
        Assert.All(_runtime.Devices.Where(d => !d.IsAvailable), d => Assert.NotEmpty(d.Problem + d.Remedy));
        Assert.Contains(_runtime.Devices, d => d.Device.Kind == DeviceKind.WebGpu);
    }

    [Fact]
    public void Create_OnADeviceThatIsNotThere_ListsWhatIs()
    {
        var error = Assert.Throws<ModelZooException>(() => _runtime.CreateSession(SmallGraphs.Accumulator(1), new() { Device = Device.Parse("cuda:7") }));

        Assert.Equal(ErrorCodes.DeviceUnavailable, error.Code);
        Assert.Equal("cuda:7", error.Found);
        Assert.Contains("cpu", error.Expected);
    }

    [Fact]
    public void Create_OnWebGpu_RunsThereOrSaysWhyNot()
    {
        var status = _runtime.Devices.Single(d => d.Device == Device.WebGpu);
        if (status.IsAvailable)
        {
            using var session = _runtime.CreateSession(SmallGraphs.Linear(rows: 3, columns: 64), new() { Device = Device.WebGpu });
            Assert.Equal(Device.WebGpu, session.Device);
            Assert.Equal(64, session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create([0f, 1, 0], 1, 3) })["y"].As<float>()[0, 0]);
        }
        else
        {
            var error = Assert.Throws<ModelZooException>(() => _runtime.CreateSession(SmallGraphs.Accumulator(1), new() { Device = Device.WebGpu }));
            Assert.Equal(ErrorCodes.DeviceUnavailable, error.Code);
            Assert.Contains("adapter", error.Message);
        }
    }

    [Fact]
    public void Create_FallbackAllowed_RunsOnTheProcessorAndSaysSo()
    {
        using var session = _runtime.CreateSession(SmallGraphs.Accumulator(1), new() { Device = Device.Parse("cuda:7"), AllowCpuFallback = true });

        Assert.Equal(Device.Cpu, session.Device);
    }

    [Fact]
    public void Resolve_Auto_NeverChoosesASoftwareGpu() =>
        Assert.DoesNotContain(_runtime.Devices, d => d.IsSoftware && d.Device == _runtime.Resolve(Device.Auto));
}
