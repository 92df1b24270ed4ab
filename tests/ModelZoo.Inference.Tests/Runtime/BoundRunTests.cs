using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Runtime;

public sealed class BoundRunTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>
{
    public static TheoryData<string> Devices => ["cpu", "webgpu"];

    [Theory, MemberData(nameof(Devices))]
    public void Run_OutputFedBackAsInput_AccumulatesOnTheDevice(string device)
    {
        using var session = _runtime.CreateSession(SmallGraphs.Accumulator(1000), new() { Device = Device.Parse(device), AllowCpuFallback = true });
        using var run = session.Bind();
        var step = Tensor.Zeros<float>(1000);
        step.Span.Fill(1);
        using var a = session.Upload(Tensor.Zeros<float>(1000));
        using var b = session.Allocate(ElementType.Float32, 1000);
        run.Bind("step", step);
        var (state, next) = (a, b);
        for (var i = 0; i < 10; i++)
        {
            run.Bind("state", state);
            run.BindOutput("next", next);
            run.Run();
            (state, next) = (next, state);
        }

        Assert.All(state.ToTensor().As<float>().Span.ToArray(), x => Assert.Equal(10, x));
    }

    [Fact]
    public void Run_BoundInputsThatDisagreeAboutASymbol_AreRefused()
    {
        using var session = _runtime.CreateSession(SmallGraphs.TwoLengths());
        using var run = session.Bind();
        foreach (var (name, length) in new[] { ("x", 4), ("y", 7), ("z", 5) }) run.Bind(name, Tensor.Zeros<float>(2, length));
        run.BindOutput("z_sum");

        Assert.Equal("two lengths: z, axis 1", Assert.Throws<ModelZooException>(() => run.Run()).Where);

        run.Bind("x", Tensor.Zeros<float>(2, 5));
        run.Run();
    }

    [Theory, MemberData(nameof(Devices))]
    public void Take_EngineAllocatedOutput_IsTheNextInput(string device)
    {
        using var session = _runtime.CreateSession(SmallGraphs.Linear(rows: 64, columns: 64), new() { Device = Device.Parse(device), AllowCpuFallback = true });
        using var run = session.Bind();
        var x = Tensor.Zeros<float>(2, 64);
        x[0, 1] = 1;
        run.Bind("x", x);
        run.BindOutput("y");
        run.Run();
        using var first = run.Take("y");
        run.Bind("x", first);
        run.BindOutput("y");
        run.Run();
        using var second = run.Take("y");

        var once = first.ToTensor().As<float>();
        var twice = second.ToTensor().As<float>();
        Assert.Equal(64, once[0, 0]);
        var expected = 0.0;
        for (var i = 0; i < 64; i++) expected += (64.0 + i) * (i * 64);
        Assert.Equal(expected, twice[0, 0], expected * 1e-5);
        Assert.Equal(device == "cpu" || session.Device == Device.Cpu, second.IsOnCpu);
    }

    [Fact]
    public void Run_BoundTensors_AllocatesNothing()
    {
        using var session = _runtime.CreateSession(SmallGraphs.Accumulator(16));
        using var run = session.Bind();
        using var a = session.Upload(Tensor.Zeros<float>(16));
        using var b = session.Allocate(ElementType.Float32, 16);
        using var cancel = new CancellationTokenSource();
        run.Bind("step", Tensor.Zeros<float>(16));
        void Step()
        {
            run.Bind("state", a);
            run.BindOutput("next", b);
            run.Run(cancel.Token);
            run.Bind("state", b);
            run.BindOutput("next", a);
            run.Run(cancel.Token);
        }

        for (var i = 0; i < 100; i++) Step();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) Step();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private readonly InferenceRuntime _runtime = fixture.Runtime;
}
