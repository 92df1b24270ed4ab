using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>A tensor in the engine's memory, on the device of its session: the state of a loop. It keeps that session's device alive until it is disposed.</summary>
public sealed unsafe class DeviceTensor : IDisposable
{
    private readonly Session _session;
    private readonly OrtApi _api;
    private readonly AllocatorHandle? _allocator;
    private readonly long[] _shape;

    internal DeviceTensor(Session session, OrtValue* value, AllocatorHandle? allocator = null, ValueHandle? whole = null)
    {
        (_session, _api, _allocator) = (session, session.Api, allocator);
        Handle = new(_api, value, (EngineHandle?)whole ?? (EngineHandle?)allocator ?? session.Handle);
        (Type, _shape) = EngineValues.Describe(_api, value);
        OrtMemoryInfo* memory;
        int device;
        _api.Check(_api.GetTensorMemoryInfo(value, &memory));
        _api.MemoryInfoGetDeviceType(memory, &device);
        IsOnCpu = device == 0;
    }

    /// <summary>Type of the elements.</summary>
    public ElementType Type { get; }

    /// <summary>Extents, outermost first.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>Number of bytes.</summary>
    public long ByteLength => Tensor.Count(_shape) * Type.Size();

    /// <summary>True when the elements are in the processor's memory, where <see cref="Span{T}"/> reaches them.</summary>
    public bool IsOnCpu { get; }

    internal ValueHandle Handle { get; }

    /// <summary>The elements, in the processor's memory. The caller keeps this object while it uses the span.</summary>
    /// <exception cref="InvalidOperationException">They are on another device.</exception>
    /// <exception cref="ModelZooException">They are of another type.</exception>
    public Span<T> Span<T>() where T : unmanaged
    {
        if (ElementTypes.Of<T>() != Type) throw Misfit(ElementTypes.Of<T>(), _shape);
        using var lease = new EngineLease(Handle);
        return new(Elements(), checked((int)Tensor.Count(_shape)));
    }

    /// <summary>The elements as raw bytes, in the processor's memory. The caller keeps this object while it uses the span.</summary>
    /// <exception cref="InvalidOperationException">They are on another device.</exception>
    public Span<byte> Bytes
    {
        get
        {
            using var lease = new EngineLease(Handle);
            return new(Elements(), checked((int)ByteLength));
        }
    }

    /// <summary>Some rows (parts along the first dimension) in the same memory, which lives as long as either tensor.</summary>
    /// <exception cref="InvalidOperationException">The elements are not in the processor's memory.</exception>
    public DeviceTensor Rows(long first, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, _shape[0] - count);
        using var lease = new EngineLease(Handle);
        long[] shape = [count, .. _shape[1..]];
        var row = Tensor.Count(_shape.AsSpan(1)) * Type.Size();
        var cpu = _api.CpuMemory();
        try
        {
            OrtValue* value;
            fixed (long* extents = shape) _api.Check(_api.CreateTensorWithData(cpu, (byte*)Elements() + first * row, (nuint)(count * row), extents, (nuint)shape.Length, Type.ToOnnx(), &value));
            return new(_session, value, whole: Handle);
        }
        finally
        {
            _api.ReleaseMemoryInfo(cpu);
        }
    }

    /// <summary>Replaces the elements.</summary>
    /// <exception cref="ModelZooException">The source has another type or shape.</exception>
    public void CopyFrom(Tensor source) => Copy(source, toDevice: true);

    /// <summary>Copies the elements out.</summary>
    /// <exception cref="ModelZooException">The target has another type or shape.</exception>
    public void CopyTo(Tensor target) => Copy(target, toDevice: false);

    /// <summary>The elements as a new managed tensor.</summary>
    public Tensor ToTensor()
    {
        var tensor = Tensors.Allocate(Type, _shape);
        CopyTo(tensor);
        return tensor;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Handle.Dispose();
        _allocator?.Dispose();
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Type}[{string.Join(", ", _shape)}]";

    internal static DeviceTensor Allocate(Session session, ElementType type, ReadOnlySpan<long> shape)
    {
        using var lease = new EngineLease(session.Handle);
        using var turn = session.Handle.Gate.Enter();
        var api = session.Api;
        OrtAllocator* allocator;
        AllocatorHandle? handle = null;
        if (session.DeviceMemory() is var memory && memory is null)
        {
            api.Check(api.GetDefaultAllocator(&allocator));
        }
        else
        {
            api.Check(api.CreateAllocator(session.Handle.Value, memory, &allocator));
            handle = new(api, allocator, session.Handle);
        }

        OrtValue* value;
        fixed (long* extents = shape) api.Check(api.CreateTensor(allocator, extents, (nuint)shape.Length, type.ToOnnx(), &value));
        return new(session, value, handle);
    }

    // In the processor's memory; the caller holds a lease.
    private void* Elements()
    {
        if (!IsOnCpu) throw new InvalidOperationException("The elements are on another device; use CopyTo.");
        void* elements;
        _api.Check(_api.GetTensorMutableData(Handle.Value, &elements));
        return elements;
    }

    private void Copy(Tensor tensor, bool toDevice)
    {
        if (tensor.Type != Type || !tensor.Shape.SequenceEqual(_shape)) throw Misfit(tensor.Type, tensor.Shape);
        using var lease = new EngineLease(Handle);
        using var pin = tensor.Pin();
        if (IsOnCpu)
        {
            var (from, to) = toDevice ? ((nint)pin.Pointer, (nint)Elements()) : ((nint)Elements(), (nint)pin.Pointer);
            Buffer.MemoryCopy((void*)from, (void*)to, ByteLength, ByteLength);
            return;
        }

        var cpu = _api.CpuMemory();
        var managed = EngineValues.Over(_api, cpu, tensor, pin.Pointer);
        try
        {
            using var turn = Handle.Gate.Enter();
            var device = Handle.Value;
            _api.Check(_api.CopyTensors(_session.Environment.Value, toDevice ? &managed : &device, toDevice ? &device : &managed, null, 1));
        }
        finally
        {
            _api.ReleaseValue(managed);
            _api.ReleaseMemoryInfo(cpu);
        }
    }

    private ModelZooException Misfit(ElementType type, ReadOnlySpan<long> shape) => new(ErrorCodes.TensorType, "A tensor does not fit one on the device.")
    { Expected = ToString(), Found = $"{type}[{string.Join(", ", shape.ToArray())}]" };
}
