using System.Runtime.InteropServices;
using System.Text;
using ModelZoo.Inference.Kernels;

namespace ModelZoo.Inference.Native;

/// <summary><c>struct OrtCustomOp</c> of version 23: how the engine asks about an operator and calls it; after it, what we need to know there.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CustomOperator
{
    public uint Version;
    public delegate* unmanaged<CustomOperator*, void*, OrtKernelInfo*, void*> CreateKernel;
    public delegate* unmanaged<CustomOperator*, byte*> GetName;
    public delegate* unmanaged<CustomOperator*, byte*> GetProvider;
    public delegate* unmanaged<CustomOperator*, nuint, OnnxType> GetInputType;
    public delegate* unmanaged<CustomOperator*, nuint> GetInputCount;
    public delegate* unmanaged<CustomOperator*, nuint, OnnxType> GetOutputType;
    public delegate* unmanaged<CustomOperator*, nuint> GetOutputCount;
    public delegate* unmanaged<void*, OrtKernelContext*, void> Compute;
    public delegate* unmanaged<void*, void> DestroyKernel;
    public delegate* unmanaged<CustomOperator*, nuint, int> GetInputCharacteristic;
    public delegate* unmanaged<CustomOperator*, nuint, int> GetOutputCharacteristic;
    public delegate* unmanaged<CustomOperator*, nuint, int> GetInputMemoryType;
    public delegate* unmanaged<CustomOperator*, int> GetVariadicInputMinArity;
    public delegate* unmanaged<CustomOperator*, int> GetVariadicInputHomogeneity;
    public delegate* unmanaged<CustomOperator*, int> GetVariadicOutputMinArity;
    public delegate* unmanaged<CustomOperator*, int> GetVariadicOutputHomogeneity;
    public delegate* unmanaged<CustomOperator*, void*, OrtKernelInfo*, void**, OrtStatus*> CreateKernelOrFail;
    public delegate* unmanaged<void*, OrtKernelContext*, OrtStatus*> ComputeOrFail;
    public nint InferOutputShape, GetStartVersion, GetEndVersion, GetMayInplace, ReleaseMayInplace, GetAliasMap, ReleaseAliasMap;

    public byte* Name;
    public void** Api;
}

/// <summary>
/// The domain of our own operators, <see cref="Domain"/>: any number of inputs of any types, any number of outputs of 32-bit floats. What a node computes is an object, a <see cref="CpuKernel"/>, whose handle is an attribute of the node.
/// </summary>
internal sealed unsafe class CustomOperators : IDisposable
{
    /// <summary>The domain's name in a graph.</summary>
    public const string Domain = "modelzoo";

    /// <summary>The attribute with the handle of the kernel.</summary>
    public const string KernelAttribute = "kernel";

    private const int Variadic = 2;
    private const int EngineFailed = 1;

    private readonly OrtApi _api;
    private readonly NativeArena _arena = new();
    private readonly OrtCustomOpDomain* _domain;

    /// <summary>Registers an operator for each of <paramref name="names"/>, under which profiles show it.</summary>
    public CustomOperators(OrtApi api, IEnumerable<string> names)
    {
        _api = api;
        OrtCustomOpDomain* domain;
        api.Check(api.CreateCustomOpDomain(_arena.String(Domain), &domain));
        _domain = domain;
        foreach (var name in names)
        {
            var custom = _arena.Array<CustomOperator>(1);
            *custom = new()
            {
                Version = OrtApi.Version, GetName = &Name, GetProvider = &Provider,
                GetInputType = &InputType, GetInputCount = &One, GetOutputType = &OutputType, GetOutputCount = &One,
                GetInputCharacteristic = &Characteristic, GetOutputCharacteristic = &Characteristic, GetInputMemoryType = &Zero,
                GetVariadicInputMinArity = &MinArity, GetVariadicInputHomogeneity = &Homogeneity, GetVariadicOutputMinArity = &MinArity, GetVariadicOutputHomogeneity = &Homogeneity,
                CreateKernelOrFail = &CreateKernel, ComputeOrFail = &Compute, DestroyKernel = &DestroyKernel, Name = _arena.String(name), Api = api.Table,
            };
            api.Check(api.AddToCustomOpDomain(domain, custom), name);
        }
    }

    /// <summary>Makes the operators known to sessions with these options.</summary>
    public void AddTo(OrtSessionOptions* options) => _api.Check(_api.AddCustomOpDomain(options, _domain));

    /// <summary>Releases the operators. No session uses them.</summary>
    public void Dispose()
    {
        _api.ReleaseCustomOpDomain(_domain);
        _arena.Dispose();
    }

    [UnmanagedCallersOnly]
    private static byte* Name(CustomOperator* custom) => custom->Name;

    [UnmanagedCallersOnly]
    private static byte* Provider(CustomOperator* custom) => null;

    [UnmanagedCallersOnly]
    private static OnnxType InputType(CustomOperator* custom, nuint index) => OnnxType.Undefined;

    [UnmanagedCallersOnly]
    private static OnnxType OutputType(CustomOperator* custom, nuint index) => OnnxType.Float;

    [UnmanagedCallersOnly]
    private static nuint One(CustomOperator* custom) => 1;

    [UnmanagedCallersOnly]
    private static int Characteristic(CustomOperator* custom, nuint index) => Variadic;

    [UnmanagedCallersOnly]
    private static int Zero(CustomOperator* custom, nuint index) => 0;

    [UnmanagedCallersOnly]
    private static int MinArity(CustomOperator* custom) => 1;

    [UnmanagedCallersOnly]
    private static int Homogeneity(CustomOperator* custom) => 0;

    [UnmanagedCallersOnly]
    private static OrtStatus* CreateKernel(CustomOperator* custom, void* api, OrtKernelInfo* info, void** kernel)
    {
        long handle;
        OrtStatus* status;
        fixed (byte* name = "kernel\0"u8) status = new OrtApi(custom->Api).KernelAttribute(info, name, &handle);
        if (status is null) *kernel = (void*)handle;
        return status;
    }

    // The session owns its kernels, not the engine's node.
    [UnmanagedCallersOnly]
    private static void DestroyKernel(void* kernel)
    {
    }

    [UnmanagedCallersOnly]
    private static OrtStatus* Compute(void* kernel, OrtKernelContext* context)
    {
        var (api, target) = (NodeKernel)GCHandle.FromIntPtr((nint)kernel).Target!;
        try
        {
            target.Compute(new(api, context));
            return null;
        }
        catch (Exception e)
        {
            // No exception may cross into native code: the engine hands the message on.
            fixed (byte* message = Encoding.UTF8.GetBytes($"{target.Operator}: {e.Message}\0")) return api.CreateStatus(EngineFailed, message);
        }
    }
}

/// <summary>A kernel as a node's handle points at it.</summary>
internal sealed record NodeKernel(OrtApi Api, CpuKernel Kernel);

/// <summary>The kernels of a session's nodes; they live as long as the session.</summary>
internal sealed class SessionKernels(OrtApi api) : IDisposable
{
    private readonly List<GCHandle> _handles = [];

    /// <summary>What a node's attribute says of <paramref name="kernel"/>.</summary>
    public long Add(CpuKernel kernel)
    {
        _handles.Add(GCHandle.Alloc(new NodeKernel(api, kernel)));
        return GCHandle.ToIntPtr(_handles[^1]);
    }

    /// <summary>Releases the kernels and what they packed. No run goes on.</summary>
    public void Dispose()
    {
        foreach (var handle in _handles)
        {
            ((NodeKernel)handle.Target!).Kernel.Dispose();
            handle.Free();
        }

        _handles.Clear();
    }
}
