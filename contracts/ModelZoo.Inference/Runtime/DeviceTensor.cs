using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>A tensor in the engine's memory, on the device of its session: the state of a loop. It keeps that session's device alive until it is disposed.</summary>
public sealed unsafe class DeviceTensor : IDisposable
{
    private readonly OrtApi _api;
    private readonly long[] _shape;

    internal DeviceTensor(OrtApi api, ValueHandle handle)
    {
        (_api, Handle) = (api, handle);
        (Type, _shape) = EngineValues.Describe(api, handle.Value);
        OrtMemoryInfo* memory;
        int device;
        api.Check(api.GetTensorMemoryInfo(handle.Value, &memory));
        api.MemoryInfoGetDeviceType(memory, &device);
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
        if (!IsOnCpu) throw new InvalidOperationException("The elements are on another device; use ToTensor.");
        if (ElementTypes.Of<T>() != Type) throw new ModelZooException(ErrorCodes.TensorType, "The tensor has elements of another type.") { Expected = ElementTypes.Of<T>().ToString(), Found = ToString() };
        using var lease = new EngineLease(Handle);
        void* elements;
        _api.Check(_api.GetTensorMutableData(Handle.Value, &elements));
        return new(elements, checked((int)Tensor.Count(_shape)));
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();

    /// <inheritdoc/>
    public override string ToString() => $"{Type}[{string.Join(", ", _shape)}]";
}
