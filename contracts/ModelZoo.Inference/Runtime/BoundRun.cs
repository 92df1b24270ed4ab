using System.Buffers;
using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>
/// Tensors bound to the inputs and outputs of a session, for runs in a loop without copies, lookups or garbage. What is bound stays bound until something else is.
/// Not for use from two threads at once.
/// </summary>
public sealed unsafe class BoundRun : IDisposable
{
    private readonly Session _session;
    private readonly OrtApi _api;
    private readonly BindingHandle _binding;
    private readonly RunCancellation _run;
    private readonly OrtMemoryInfo* _cpu;
    private readonly OrtMemoryInfo*[] _places;
    private readonly MemoryHandle[] _inputPins;
    private readonly MemoryHandle[] _outputPins;
    private readonly int[] _outputOrder;
    private readonly long[]?[] _inputShapes;
    private int _bound;
    private bool _changed;
    private bool _disposed;

    internal BoundRun(Session session)
    {
        using var lease = new EngineLease(session.Handle);
        using var turn = session.Handle.Gate.Enter();
        (_session, _api) = (session, session.Api);
        OrtIoBinding* binding;
        _api.Check(_api.CreateIoBinding(session.Handle.Value, &binding));
        _binding = new(_api, binding, session.Handle);
        _run = new(_api);
        _cpu = _api.CpuMemory();
        _inputPins = new MemoryHandle[session.Inputs.Count];
        _outputPins = new MemoryHandle[session.Outputs.Count];
        _inputShapes = new long[session.Inputs.Count][];
        _outputOrder = [.. Enumerable.Repeat(-1, session.Outputs.Count)];
        _places = session.OutputMemory();
    }

    /// <summary>Binds a managed tensor to an input: read in place on the processor (so that new contents count for the next run), copied now to any other device.</summary>
    /// <exception cref="ModelZooException">There is no such input, or the tensor does not fit.</exception>
    public void Bind(string input, Tensor tensor)
    {
        var port = _session.InputPorts.IndexOf(input);
        SessionPorts.Check(_session.Inputs[port], tensor.Type, tensor.Shape);
        var pin = tensor.Pin();
        _inputPins[port].Dispose();
        _inputPins[port] = pin;
        var value = EngineValues.Over(_api, _cpu, tensor, pin.Pointer);
        BindInput(port, value, tensor.Shape);
        _api.ReleaseValue(value);
    }

    /// <summary>Binds a tensor of the engine to an input.</summary>
    /// <exception cref="ModelZooException">There is no such input, or the tensor does not fit.</exception>
    public void Bind(string input, DeviceTensor tensor)
    {
        var port = _session.InputPorts.IndexOf(input);
        SessionPorts.Check(_session.Inputs[port], tensor.Type, tensor.Shape);
        using var lease = new EngineLease(tensor.Handle);
        BindInput(port, tensor.Handle.Value, tensor.Shape);
    }

    /// <summary>Binds a managed tensor to an output, which a run then writes.</summary>
    /// <exception cref="ModelZooException">There is no such output, or the tensor does not fit.</exception>
    public void BindOutput(string output, Tensor tensor)
    {
        var port = _session.OutputPorts.IndexOf(output);
        SessionPorts.Check(_session.Outputs[port], tensor.Type, tensor.Shape);
        var pin = tensor.Pin();
        _outputPins[port].Dispose();
        _outputPins[port] = pin;
        var value = EngineValues.Over(_api, _cpu, tensor, pin.Pointer);
        BindOutput(port, value);
        _api.ReleaseValue(value);
    }

    /// <summary>Binds a tensor of the engine to an output. It may be the one that is bound to an input, where the network allows that (key-value caches).</summary>
    /// <exception cref="ModelZooException">There is no such output, or the tensor does not fit.</exception>
    public void BindOutput(string output, DeviceTensor tensor)
    {
        var port = _session.OutputPorts.IndexOf(output);
        SessionPorts.Check(_session.Outputs[port], tensor.Type, tensor.Shape);
        using var lease = new EngineLease(tensor.Handle);
        BindOutput(port, tensor.Handle.Value);
    }

    /// <summary>Has the engine allocate an output anew for the next run, on the device where the network computes it. <see cref="Take"/> gives it.</summary>
    /// <exception cref="ModelZooException">There is no such output.</exception>
    public void BindOutput(string output)
    {
        var port = _session.OutputPorts.IndexOf(output);
        using var lease = new EngineLease(_binding);
        _api.Check(_api.BindOutputToDevice(_binding.Value, _session.OutputPorts.Names[port], _places[port]), output);
        Count(port);
    }

    /// <summary>Runs with what is bound. Outputs that are not bound are not computed.</summary>
    /// <exception cref="ModelZooException">The engine failed, an input is not bound, or inputs disagree about an extent that has one name.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> was cancelled.</exception>
    public void Run(CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        if (_changed) _session.Symbols.Check(_inputShapes);
        _changed = false;
        using var lease = new EngineLease(_binding);
        OrtStatus* status;
        using (_binding.Gate.Enter())
        using (_run.Watch(cancel))
            status = _api.RunWithBinding(_session.Handle.Value, _run.Options, _binding.Value);
        _run.Complete(status, cancel, _session.Name);
    }

    /// <summary>What the last run gave for an output, whoever allocated it. Bind the output again before the next run, or that run writes over it.</summary>
    /// <exception cref="ModelZooException">There is no such output, or nothing is bound to it.</exception>
    public DeviceTensor Take(string output)
    {
        var place = _outputOrder[_session.OutputPorts.IndexOf(output)];
        if (place < 0) throw new ModelZooException(ErrorCodes.EngineFailed, "The output is not bound.") { Where = output };
        using var lease = new EngineLease(_binding);
        OrtAllocator* allocator;
        OrtValue** values;
        nuint count;
        _api.Check(_api.GetDefaultAllocator(&allocator));
        _api.Check(_api.GetBoundOutputValues(_binding.Value, allocator, &values, &count));
        for (var i = 0; i < (int)count; i++)
        {
            if (i != place) _api.ReleaseValue(values[i]);
        }

        var taken = values[place];
        _api.Check(_api.AllocatorFree(allocator, values));
        return new(_session, taken);
    }

    /// <summary>Unbinds everything. Not while a run goes on.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _binding.Dispose();
        _run.Dispose();
        _api.ReleaseMemoryInfo(_cpu);
        foreach (var pin in _inputPins) pin.Dispose();
        foreach (var pin in _outputPins) pin.Dispose();
    }

    private void BindInput(int port, OrtValue* value, ReadOnlySpan<long> shape)
    {
        using var lease = new EngineLease(_binding);
        using var turn = _binding.Gate.Enter();
        _api.Check(_api.BindInput(_binding.Value, _session.InputPorts.Names[port], value), _session.Inputs[port].Name);
        var known = _inputShapes[port] ??= new long[shape.Length];
        if (shape.SequenceEqual(known)) return;
        shape.CopyTo(known);
        _changed = true;
    }

    private void BindOutput(int port, OrtValue* value)
    {
        using var lease = new EngineLease(_binding);
        _api.Check(_api.BindOutput(_binding.Value, _session.OutputPorts.Names[port], value), _session.Outputs[port].Name);
        Count(port);
    }

    // The engine lists outputs in the order in which they were first bound.
    private void Count(int port)
    {
        if (_outputOrder[port] < 0) _outputOrder[port] = _bound++;
    }
}
