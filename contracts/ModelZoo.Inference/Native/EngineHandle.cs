using System.Runtime.InteropServices;

namespace ModelZoo.Inference.Native;

/// <summary>
/// Owner of one native object. It is released when it was disposed and the last user let go, and it keeps what it depends on (the session of a binding, the
/// environment of a session) from being released before it.
/// </summary>
internal abstract unsafe class EngineHandle : SafeHandle
{
    private readonly EngineHandle? _parent;
    private volatile bool _disposed;

    protected EngineHandle(OrtApi api, void* value, EngineHandle? parent, DeviceGate gate = default) : base(0, ownsHandle: true)
    {
        (Api, Gate) = (api, gate);
        SetHandle((nint)value);
        if (parent is null) return;
        var added = false;
        parent.DangerousAddRef(ref added);
        _parent = parent;
    }

    /// <summary>The gate of the device that this is on.</summary>
    public DeviceGate Gate { get; }

    protected OrtApi Api { get; }

    /// <summary>True from the first call of Dispose on, also while users still hold on.</summary>
    public bool IsDisposed => _disposed;

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    protected abstract void Release();

    protected override void Dispose(bool disposing)
    {
        _disposed = true;
        base.Dispose(disposing);
    }

    protected sealed override bool ReleaseHandle()
    {
        using (Gate.Enter()) Release();
        _parent?.DangerousRelease();
        return true;
    }
}

/// <summary>Keeps an <see cref="EngineHandle"/> alive for the time of a call.</summary>
internal readonly ref struct EngineLease
{
    private readonly EngineHandle _handle;

    /// <summary>Takes a lease.</summary>
    /// <exception cref="ObjectDisposedException">The handle was disposed.</exception>
    public EngineLease(EngineHandle handle)
    {
        ObjectDisposedException.ThrowIf(handle.IsDisposed, handle);
        var added = false;
        handle.DangerousAddRef(ref added);
        _handle = handle;
    }

    public void Dispose() => _handle.DangerousRelease();
}

/// <summary>The environment: one per process in the engine, counted by it.</summary>
internal sealed unsafe class EnvironmentHandle(OrtApi api, OrtEnv* value) : EngineHandle(api, value, null)
{
    public OrtEnv* Value => (OrtEnv*)handle;

    /// <summary>Operators of our own, for sessions on the processor.</summary>
    public CustomOperators Operators { get; } = new(api, Kernels.KernelOperators.Names);

    protected override void Release()
    {
        Operators.Dispose();
        Api.ReleaseEnv(Value);
    }
}

/// <summary>A session, with the strings in <paramref name="names"/> that runs pass to it, the <paramref name="weights"/> that it was lent and the <paramref name="kernels"/> of its nodes.</summary>
internal sealed unsafe class SessionHandle(OrtApi api, OrtSession* value, EnvironmentHandle environment, DeviceGate gate, NativeArena names, LentWeights? weights, SessionKernels? kernels)
    : EngineHandle(api, value, environment, gate)
{
    public OrtSession* Value => (OrtSession*)handle;

    protected override void Release()
    {
        Api.ReleaseSession(Value);
        names.Dispose();
        weights?.Dispose();
        kernels?.Dispose();
    }
}

/// <summary>A tensor in the engine's hands; <paramref name="parent"/> is the session whose memory it uses.</summary>
internal sealed unsafe class ValueHandle(OrtApi api, OrtValue* value, EngineHandle parent) : EngineHandle(api, value, parent, parent.Gate)
{
    public OrtValue* Value => (OrtValue*)handle;

    protected override void Release() => Api.ReleaseValue(Value);
}

/// <summary>A session's allocator for one kind of memory.</summary>
internal sealed unsafe class AllocatorHandle(OrtApi api, OrtAllocator* value, SessionHandle session) : EngineHandle(api, value, session, session.Gate)
{
    public OrtAllocator* Value => (OrtAllocator*)handle;

    protected override void Release() => Api.ReleaseAllocator(Value);
}

/// <summary>Inputs and outputs bound to a session.</summary>
internal sealed unsafe class BindingHandle(OrtApi api, OrtIoBinding* value, SessionHandle session) : EngineHandle(api, value, session, session.Gate)
{
    public OrtIoBinding* Value => (OrtIoBinding*)handle;

    protected override void Release() => Api.ReleaseIoBinding(Value);
}
