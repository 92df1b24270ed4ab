using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>Between managed tensors and the engine's.</summary>
internal static unsafe class EngineValues
{
    /// <summary>An engine tensor over the pinned elements of <paramref name="tensor"/>.</summary>
    public static OrtValue* Over(OrtApi api, OrtMemoryInfo* cpu, Tensor tensor, void* elements)
    {
        var none = 0L;
        OrtValue* value;
        fixed (long* shape = tensor.Shape)
            api.Check(api.CreateTensorWithData(cpu, elements is null ? &none : elements, (nuint)tensor.Bytes.Length, shape, (nuint)tensor.Rank, tensor.Type.ToOnnx(), &value));
        return value;
    }

    /// <summary>Type and shape of an engine tensor.</summary>
    public static (ElementType Type, long[] Shape) Describe(OrtApi api, OrtValue* value)
    {
        OrtTensorInfo* info;
        api.Check(api.GetTensorTypeAndShape(value, &info));
        try
        {
            return SessionPorts.TensorInfo(api, info);
        }
        finally
        {
            api.ReleaseTensorInfo(info);
        }
    }

    /// <summary>Copies the elements of an engine tensor in the processor's memory into <paramref name="target"/>, which has its type and shape.</summary>
    public static void CopyOut(OrtApi api, OrtValue* value, Tensor target)
    {
        void* elements;
        api.Check(api.GetTensorMutableData(value, &elements));
        using var pin = target.Pin();
        var bytes = target.Bytes.Length;
        Buffer.MemoryCopy(elements, pin.Pointer, bytes, bytes);
    }
}
