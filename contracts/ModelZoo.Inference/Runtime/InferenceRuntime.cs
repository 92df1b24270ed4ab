using System.Runtime.InteropServices;
using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>
/// The engine: one native library, one thread pool and one set of devices for all sessions. A process has one; what a second would be set up with is ignored while the
/// first is there. Sessions outlive it where they must: it goes when the last of them is disposed.
/// </summary>
public sealed unsafe class InferenceRuntime : IDisposable
{
    private readonly OrtLibrary _library;
    private readonly EnvironmentHandle _environment;
    private readonly Action<EngineMessage>? _log;
    private readonly Lazy<IReadOnlyList<DeviceStatus>> _devices;

    /// <summary>Loads the library and starts its threads.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.EngineMissing"/> when there is no library; <see cref="ErrorCodes.EngineFailed"/> when it does not start.</exception>
    public InferenceRuntime(InferenceRuntimeOptions? options = null)
    {
        options ??= new();
        ArgumentOutOfRangeException.ThrowIfNegative(options.Threads);
        _log = options.Log;
        _library = OrtLibrary.Load(options.LibraryPath);
        _environment = new(Api, CreateEnvironment(options));
        _devices = new(() => DeviceProbe.Run(this));
    }

    /// <summary>The file that the engine was loaded from.</summary>
    public string LibraryPath => _library.Path;

    /// <summary>The engine's version.</summary>
    public string Version => _library.Version;

    /// <summary>Every kind of device that the library knows, whether it answers, and if not, why. The first call tries each, which takes a moment.</summary>
    public IReadOnlyList<DeviceStatus> Devices => _devices.Value;

    /// <summary>
    /// Operators of our own that sessions on this processor get in place of the engine's, because they are faster; none without 512-bit vectors. A session with less than <see cref="GraphOptimization.All"/>, or without
    /// <see cref="SessionOptions.Prepack"/>, gets none.
    /// </summary>
    public IReadOnlyList<string> OwnOperators => Kernels.KernelRewriter.RunsHere ? Kernels.KernelOperators.Names : [];

    internal OrtApi Api => _library.Api;

    internal EnvironmentHandle Environment => _environment;

    /// <summary>The device that <paramref name="asked"/> comes to: itself when it answers, the best one for <c>auto</c>.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.DeviceUnavailable"/>: it does not answer and nothing may stand in; the message lists what does.</exception>
    public Device Resolve(Device asked, bool allowCpuFallback = false)
    {
        if (asked.Kind == DeviceKind.Cpu) return asked.Index == 0 || allowCpuFallback ? Device.Cpu : throw Unavailable(asked, "there is one processor, cpu");
        if (asked.Kind == DeviceKind.Auto) return Devices.Where(d => d.IsAvailable && !d.IsSoftware).Select(d => d.Device).DefaultIfEmpty(Device.Cpu).First();
        var status = asked.Index == 0 ? Devices.FirstOrDefault(d => d.Device == asked) : DeviceProbe.Try(this, asked);
        if (status is { IsAvailable: true }) return asked;
        return allowCpuFallback ? Device.Cpu : throw Unavailable(asked, status?.Problem ?? "this library of ONNX Runtime was built without it");
    }

    /// <summary>A session of a built graph. Weights are used where they are and kept alive by the session.</summary>
    /// <exception cref="ModelZooException">The device is not there, or the engine refuses the graph.</exception>
    public Session CreateSession(GraphDefinition graph, SessionOptions? options = null) => Session.Create(this, options ?? new(), graph);

    /// <summary>A session of an .onnx file.</summary>
    /// <exception cref="ModelZooException">The device is not there, or the engine cannot read the file.</exception>
    public Session CreateSession(string onnxFile, SessionOptions? options = null) => Session.Create(this, options ?? new(), onnxFile);

    /// <summary>Lets go of the engine; it stops when the last session is disposed.</summary>
    public void Dispose() => _environment.Dispose();

    internal IReadOnlyList<string> Providers()
    {
        byte** names;
        int count;
        Api.Check(Api.GetAvailableProviders(&names, &count));
        var list = new string[count];
        for (var i = 0; i < count; i++) list[i] = Utf8.Read(names[i]);
        Api.Check(Api.ReleaseAvailableProviders(names, count));
        return list;
    }

    /// <summary>True when the machine has a GPU that the engine sees; a WebGPU device without one is made of software.</summary>
    internal bool HasGpu()
    {
        using var lease = new EngineLease(_environment);
        OrtEpDevice** devices;
        nuint count;
        Api.Check(Api.GetEpDevices(_environment.Value, &devices, &count));
        for (nuint i = 0; i < count; i++)
        {
            if (Api.HardwareDeviceType(Api.EpDeviceHardware(devices[i])) == 1) return true;
        }

        return false;
    }

    private ModelZooException Unavailable(Device asked, string reason) => new(ErrorCodes.DeviceUnavailable, $"The device {asked} is not there: {reason.TrimEnd('.')}.")
    {
        Where = "device",
        Expected = "one of " + string.Join(", ", Devices.Where(d => d.IsAvailable).Select(d => d.Device)),
        Found = asked.ToString(),
        Remedy = "Choose one that is there, or allow the processor to stand in.",
    };

    private OrtEnv* CreateEnvironment(InferenceRuntimeOptions options)
    {
        OrtThreadingOptions* threading;
        Api.Check(Api.CreateThreadingOptions(&threading));
        try
        {
            Api.Check(Api.SetGlobalIntraOpNumThreads(threading, options.Threads));
            Api.Check(Api.SetGlobalInterOpNumThreads(threading, 1));
            Api.Check(Api.SetGlobalSpinControl(threading, options.Spin ? 1 : 0));
            OrtEnv* environment;
            // The engine may log after this runtime is gone, for another one. So it holds a weak handle that is never freed.
            var self = GCHandle.ToIntPtr(GCHandle.Alloc(this, GCHandleType.Weak));
            fixed (byte* name = "modelzoo\0"u8)
                Api.Check(Api.CreateEnv(&Write, (void*)self, (int)options.LogLevel, name, threading, &environment));
            Api.Check(Api.DisableTelemetryEvents(environment));
            return environment;
        }
        finally
        {
            Api.ReleaseThreadingOptions(threading);
        }
    }

    [UnmanagedCallersOnly]
    private static void Write(void* runtime, int severity, byte* category, byte* session, byte* place, byte* message)
    {
        if (GCHandle.FromIntPtr((nint)runtime).Target is not InferenceRuntime { _log: { } log }) return;
        try
        {
            log(new((EngineSeverity)severity, Utf8.Read(session), Utf8.Read(message)));
        }
        catch (Exception)
        {
            // A log that fails must not take the process with it: no exception may cross into native code.
        }
    }
}
