using System.Buffers;
using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>One run over managed tensors: pins them, wraps them for the engine, and takes all of that back.</summary>
internal sealed unsafe class SessionCall(Session session) : IDisposable
{
    private readonly OrtApi _api = session.Api;
    private readonly NativeArena _arena = new();
    private readonly List<MemoryHandle> _pins = [];
    private readonly List<nint> _values = [];
    private readonly List<(int Port, nint Value, Tensor? Target)> _wanted = [];
    private readonly OrtMemoryInfo* _cpu = session.Api.CpuMemory();

    /// <summary>Gives the next input.</summary>
    public void Feed(int port, Tensor tensor)
    {
        SessionPorts.Check(session.Inputs[port], tensor.Type, tensor.Shape);
        _values.Add((nint)Wrap(tensor));
    }

    /// <summary>Asks for an output. The engine writes where it will be when its shape is known beforehand.</summary>
    public void Want(int port)
    {
        var (_, type, shape) = session.Outputs[port];
        if (shape.Any(d => d.Size < 0))
        {
            _wanted.Add((port, 0, null));
            return;
        }

        var target = Tensors.Allocate(type, [.. shape.Select(d => d.Size)]);
        _wanted.Add((port, (nint)Wrap(target), target));
    }

    public IReadOnlyDictionary<string, Tensor> Run(CancellationToken cancel)
    {
        var inputs = (OrtValue**)_arena.Array<nint>(_values.Count);
        for (var i = 0; i < _values.Count; i++) inputs[i] = (OrtValue*)_values[i];
        var names = (byte**)_arena.Array<nint>(_wanted.Count);
        var outputs = (OrtValue**)_arena.Array<nint>(_wanted.Count);
        for (var i = 0; i < _wanted.Count; i++)
        {
            names[i] = session.OutputPorts.Names[_wanted[i].Port];
            outputs[i] = (OrtValue*)_wanted[i].Value;
        }

        using (var run = new RunCancellation(_api))
        {
            OrtStatus* status;
            using (session.Handle.Gate.Enter())
            using (run.Watch(cancel))
                status = _api.Run(session.Handle.Value, run.Options, session.InputPorts.Names, inputs, (nuint)_values.Count, names, (nuint)_wanted.Count, outputs);
            // What the engine allocated is released with the rest, also when the run failed.
            for (var i = 0; i < _wanted.Count; i++) _wanted[i] = _wanted[i] with { Value = (nint)outputs[i] };
            run.Complete(status, cancel, session.Name);
        }

        return _wanted.ToDictionary(w => session.Outputs[w.Port].Name, w => w.Target ?? Copy((OrtValue*)w.Value));
    }

    public void Dispose()
    {
        foreach (var value in _values) _api.ReleaseValue((OrtValue*)value);
        foreach (var (_, value, _) in _wanted)
        {
            if (value != 0) _api.ReleaseValue((OrtValue*)value);
        }

        foreach (var pin in _pins) pin.Dispose();
        _api.ReleaseMemoryInfo(_cpu);
        _arena.Dispose();
    }

    private OrtValue* Wrap(Tensor tensor)
    {
        var pin = tensor.Pin();
        _pins.Add(pin);
        return EngineValues.Over(_api, _cpu, tensor, pin.Pointer);
    }

    private Tensor Copy(OrtValue* value)
    {
        var (type, shape) = EngineValues.Describe(_api, value);
        var tensor = Tensors.Allocate(type, shape);
        EngineValues.CopyOut(_api, value, tensor);
        return tensor;
    }
}
