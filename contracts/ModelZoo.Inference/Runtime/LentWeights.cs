using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>
/// Weights that the engine reads in place for as long as it wants them. It gives each back as soon as it has packed, folded or copied it, or with the session: then pages of a mapped file leave memory and other blocks are
/// free to be collected, so that no weight is held twice.
/// </summary>
internal sealed unsafe class LentWeights(OrtApi api) : IDisposable
{
    private readonly NativeArena _arena = new();
    private readonly OrtMemoryInfo* _cpu = api.CpuMemory();

    /// <summary>The engine's tensor over <paramref name="data"/>.</summary>
    public OrtStatus* Lend(WeightData data, OrtValue** value)
    {
        var lender = _arena.Array<Lender>(1);
        *lender = new() { Version = 10, Allocate = &Allocate, Free = &GiveBack, Info = &Info, Cpu = _cpu, Data = GCHandle.ToIntPtr(GCHandle.Alloc(data)) };
        OrtStatus* status;
        fixed (long* shape = data.Shape)
            status = api.CreateTensorWithDataAndDeleter((OrtAllocator*)lender, (void*)data.Address, (nuint)data.ByteLength, shape, (nuint)data.Shape.Length, data.Type.ToOnnx(), value);
        if (status is not null) GCHandle.FromIntPtr(lender->Data).Free();
        return status;
    }

    /// <summary>Releases what the engine calls to give weights back. All of them have been.</summary>
    public void Dispose()
    {
        api.ReleaseMemoryInfo(_cpu);
        _arena.Dispose();
    }

    // The engine lets go of a tensor by freeing its memory with the allocator that came with it: struct OrtAllocator of its first versions, and what we need to know there.
    private struct Lender
    {
        public uint Version;
        public delegate* unmanaged<Lender*, nuint, void*> Allocate;
        public delegate* unmanaged<Lender*, void*, void> Free;
        public delegate* unmanaged<Lender*, OrtMemoryInfo*> Info;
        public OrtMemoryInfo* Cpu;
        public nint Data;
    }

    [UnmanagedCallersOnly]
    private static void* Allocate(Lender* lender, nuint size) => null;

    [UnmanagedCallersOnly]
    private static OrtMemoryInfo* Info(Lender* lender) => lender->Cpu;

    [UnmanagedCallersOnly]
    private static void GiveBack(Lender* lender, void* address)
    {
        var handle = GCHandle.FromIntPtr(lender->Data);
        Unsafe.As<WeightData>(handle.Target!).LeaveMemory();
        handle.Free();
    }
}
