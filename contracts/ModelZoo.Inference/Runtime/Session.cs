using ModelZoo.Contracts;
using ModelZoo.Inference.Kernels;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>
/// A network on a device, ready to run. Runs may go on side by side from any number of threads. Disposing while runs go on is safe: they end well, and the network is
/// released after the last.
/// </summary>
public sealed unsafe class Session : IDisposable
{
    private readonly InferenceRuntime _runtime;
    private readonly SessionHandle _handle;
    private readonly SessionPorts _inputs;
    private readonly SessionPorts _outputs;
    private readonly SymbolSizes _symbols;

    private Session(InferenceRuntime runtime, Device device, OrtSession* session, string name, GraphDefinition? graph = null, LentWeights? weights = null, SessionKernels? kernels = null)
    {
        (_runtime, Device, Name, Memory) = (runtime, device, name, graph is null ? default : SessionMemory.Of(graph));
        var names = new NativeArena();
        _handle = new(runtime.Api, session, runtime.Environment, DeviceGate.Of(device), names, weights, kernels);
        try
        {
            _inputs = graph is null ? SessionPorts.Inputs(runtime.Api, session, names) : SessionPorts.Of(graph.Inputs, names);
            _outputs = graph is null ? SessionPorts.Outputs(runtime.Api, session, names) : SessionPorts.Of(graph.Outputs, names);
            _symbols = new(name, _inputs.Ports);
        }
        catch
        {
            _handle.Dispose();
            throw;
        }
    }

    /// <summary>Name of the graph, or path of the file.</summary>
    public string Name { get; }

    /// <summary>The device that was chosen.</summary>
    public Device Device { get; }

    /// <summary>What a run is given: names, types and shapes.</summary>
    public IReadOnlyList<GraphPort> Inputs => _inputs.Ports;

    /// <summary>What a run gives: names, types and shapes.</summary>
    public IReadOnlyList<GraphPort> Outputs => _outputs.Ports;

    /// <summary>What the weights take. All zero for a session of a file, whose weights only the engine knows.</summary>
    public SessionMemory Memory { get; }

    internal OrtApi Api => _runtime.Api;

    internal EnvironmentHandle Environment => _runtime.Environment;

    internal SessionHandle Handle => _handle;

    internal SessionPorts InputPorts => _inputs;

    internal SessionPorts OutputPorts => _outputs;

    internal SymbolSizes Symbols => _symbols;

    /// <summary>Runs the network once.</summary>
    /// <param name="inputs">A tensor for each of <see cref="Inputs"/>; read in place.</param>
    /// <param name="outputs">Names of the wanted <see cref="Outputs"/>; all when left out.</param>
    /// <param name="cancel">Stops the run before its next operator.</param>
    /// <returns>The wanted outputs by name.</returns>
    /// <exception cref="ModelZooException">An input is missing or does not fit (<see cref="ErrorCodes.TensorType"/>), or the engine failed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> was cancelled.</exception>
    public IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyList<string>? outputs = null, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        using var lease = new EngineLease(_handle);
        using var call = new SessionCall(this);
        CheckNames(inputs);
        var shapes = new long[]?[Inputs.Count];
        for (var i = 0; i < Inputs.Count; i++)
        {
            call.Feed(i, inputs.TryGetValue(Inputs[i].Name, out var tensor) ? tensor : throw new ModelZooException(ErrorCodes.TensorType, "An input of the network is missing.")
            { Where = $"{Name}: {Inputs[i].Name}", Expected = $"{Inputs[i].Type}[{string.Join(", ", Inputs[i].Shape)}]", Found = inputs.Count == 0 ? "no inputs" : string.Join(", ", inputs.Keys) });
            shapes[i] = tensor.Shape.ToArray();
        }

        _symbols.Check(shapes);
        if (outputs is null)
        {
            for (var i = 0; i < Outputs.Count; i++) call.Want(i);
        }
        else
        {
            foreach (var name in outputs) call.Want(_outputs.IndexOf(name));
        }

        return call.Run(cancel);
    }

    /// <summary>Binds tensors to inputs and outputs for runs in a loop, where what one run gives stays on the device and is what the next is given.</summary>
    public BoundRun Bind() => new(this);

    /// <summary>A tensor on this session's device, whose elements are not set yet.</summary>
    /// <exception cref="ModelZooException">The engine has no room.</exception>
    public DeviceTensor Allocate(ElementType type, params ReadOnlySpan<long> shape) => DeviceTensor.Allocate(this, type, shape);

    /// <summary>A copy of <paramref name="tensor"/> on this session's device.</summary>
    /// <exception cref="ModelZooException">The engine has no room.</exception>
    public DeviceTensor Upload(Tensor tensor)
    {
        var copy = Allocate(tensor.Type, tensor.Shape);
        copy.CopyFrom(tensor);
        return copy;
    }

    /// <summary>Releases the network as soon as no run goes on.</summary>
    public void Dispose() => _handle.Dispose();

    internal static Session Create(InferenceRuntime runtime, SessionOptions options, GraphDefinition graph) =>
        CreateOn(runtime.Resolve(options.Device, options.AllowCpuFallback), runtime, options, graph);

    internal static Session CreateOn(Device device, InferenceRuntime runtime, SessionOptions options, GraphDefinition graph)
    {
        using var lease = new EngineLease(runtime.Environment);
        using var turn = DeviceGate.Of(device).Enter();
        using var engineOptions = new EngineOptions(runtime.Api, options, device, graph.Name);
        var rewritten = KernelRewriter.Applies(device, options) ? KernelRewriter.Rewrite(graph) : graph;
        var (weights, kernels) = (new LentWeights(runtime.Api), new SessionKernels(runtime.Api));
        OrtSession* session;
        try
        {
            runtime.Environment.Operators.AddTo(engineOptions.Value);
            session = ModelEditor.CreateSession(runtime.Api, runtime.Environment.Value, engineOptions.Value, rewritten, weights, kernels);
        }
        catch
        {
            weights.Dispose();
            kernels.Dispose();
            throw;
        }

        return new(runtime, device, session, graph.Name, graph, weights, kernels);
    }

    internal static Session Create(InferenceRuntime runtime, SessionOptions options, string onnxFile)
    {
        var device = runtime.Resolve(options.Device, options.AllowCpuFallback);
        using var lease = new EngineLease(runtime.Environment);
        using var turn = DeviceGate.Of(device).Enter();
        using var engineOptions = new EngineOptions(runtime.Api, options, device, onnxFile);
        using var arena = new NativeArena();
        OrtSession* session;
        runtime.Api.Check(runtime.Api.CreateSession(runtime.Environment.Value, arena.Path(onnxFile), engineOptions.Value, &session), onnxFile);
        return new(runtime, device, session, onnxFile);
    }

    /// <summary>Where the network computes each output; the engine owns the descriptions. The caller holds a lease.</summary>
    internal OrtMemoryInfo*[] OutputMemory()
    {
        var places = new OrtMemoryInfo*[Outputs.Count];
        fixed (OrtMemoryInfo** first = places) Api.Check(Api.SessionGetMemoryInfoForOutputs(_handle.Value, first, (nuint)places.Length));
        return places;
    }

    /// <summary>The memory of the session's device; null for the processor's. The caller holds a lease.</summary>
    internal OrtMemoryInfo* DeviceMemory()
    {
        foreach (var place in OutputMemory())
        {
            int device;
            Api.MemoryInfoGetDeviceType(place, &device);
            if (device != 0) return place;
        }

        return null;
    }

    private void CheckNames(IReadOnlyDictionary<string, Tensor> inputs)
    {
        if (inputs.Count <= Inputs.Count) return;
        foreach (var name in inputs.Keys) _inputs.IndexOf(name);
    }
}
