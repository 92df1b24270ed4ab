using System.Runtime.InteropServices;
using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference.Kernels;

/// <summary>An operator of our own on the processor, with its weights. It may be computed by several threads at once; every row's result is the same whatever stands beside it, and whatever the number of threads.</summary>
internal abstract class CpuKernel : IDisposable
{
    /// <summary>Name of the operator, as profiles show it; one of <see cref="KernelOperators.Names"/>.</summary>
    public abstract string Operator { get; }

    /// <summary>Number of outputs.</summary>
    public virtual int OutputCount => 1;

    /// <summary>Computes the outputs of a node from its inputs.</summary>
    public abstract void Compute(KernelContext context);

    /// <summary>Lets go of packed weights.</summary>
    public virtual void Dispose()
    {
    }
}

/// <summary>A tensor of 32-bit floats in the engine's hands, for the time of a kernel's call.</summary>
internal readonly unsafe struct KernelTensor(float* data, long[] shape)
{
    public float* Data => data;

    public long[] Shape => shape;

    public long Count => Tensor.Count(shape);
}

/// <summary>What a kernel is called with: its inputs, its outputs, and the engine's threads.</summary>
internal readonly unsafe struct KernelContext(OrtApi api, OrtKernelContext* context)
{
    /// <summary>Number of inputs.</summary>
    public int InputCount
    {
        get
        {
            nuint count;
            api.Check(api.KernelInputCount(context, &count));
            return (int)count;
        }
    }

    /// <summary>An input of 32-bit floats.</summary>
    public KernelTensor Input(int index)
    {
        OrtValue* value;
        api.Check(api.KernelInput(context, (nuint)index, &value));
        void* data;
        api.Check(api.GetTensorMutableData(value, &data));
        return new((float*)data, Shape(value));
    }

    /// <summary>An input of int64.</summary>
    public long[] Integers(int index)
    {
        OrtValue* value;
        api.Check(api.KernelInput(context, (nuint)index, &value));
        void* data;
        api.Check(api.GetTensorMutableData(value, &data));
        return new Span<long>(data, checked((int)Tensor.Count(Shape(value)))).ToArray();
    }

    /// <summary>The shape that an input of int64 names for rows: -1 is what the others leave, and where it is not meant literally 0 is the extent of the rows at that place.</summary>
    public long[] TargetShape(int index, long rows, long columns, bool literal)
    {
        var shape = Integers(index);
        if (!literal && shape is [0, ..]) shape[0] = rows;
        if (!literal && shape is [_, 0, ..]) shape[1] = columns;
        var open = Array.IndexOf(shape, -1);
        if (open >= 0)
        {
            shape[open] = 1;
            shape[open] = Tensor.Count(shape) == 0 ? 0 : rows * columns / Tensor.Count(shape);
        }

        return Tensor.Count(shape) == rows * columns ? shape : throw new ArgumentException($"[{rows}, {columns}] cannot take the shape [{string.Join(", ", shape)}]");
    }

    /// <summary>The first output, whose elements the kernel sets.</summary>
    public KernelTensor Output(params long[] shape) => OutputAt(0, shape);

    /// <summary>An output.</summary>
    public KernelTensor OutputAt(int index, long[] shape)
    {
        OrtValue* value;
        fixed (long* sizes = shape) api.Check(api.KernelOutput(context, (nuint)index, sizes, (nuint)shape.Length, &value));
        void* data;
        api.Check(api.GetTensorMutableData(value, &data));
        return new((float*)data, shape);
    }

    /// <summary>Calls <paramref name="body"/> for 0..count-1 on the engine's threads, in any order.</summary>
    public void For(int count, Action<int> body)
    {
        if (count == 1)
        {
            body(0);
            return;
        }

        var work = new Work(body);
        var handle = GCHandle.Alloc(work);
        try
        {
            api.Check(api.KernelParallelFor(context, &Step, (nuint)count, (nuint)count, (void*)GCHandle.ToIntPtr(handle)));
        }
        finally
        {
            handle.Free();
        }

        if (work.Failure is { } failure) throw failure;
    }

    [UnmanagedCallersOnly]
    private static void Step(void* handle, nuint index)
    {
        var work = (Work)GCHandle.FromIntPtr((nint)handle).Target!;
        try
        {
            work.Body((int)index);
        }
        catch (Exception e)
        {
            work.Failure = e;
        }
    }

    private long[] Shape(OrtValue* value)
    {
        OrtTensorInfo* info;
        api.Check(api.GetTensorTypeAndShape(value, &info));
        try
        {
            nuint rank;
            api.Check(api.GetDimensionsCount(info, &rank));
            var shape = new long[rank];
            fixed (long* sizes = shape) api.Check(api.GetDimensions(info, sizes, rank));
            return shape;
        }
        finally
        {
            api.ReleaseTensorInfo(info);
        }
    }

    private sealed class Work(Action<int> body)
    {
        public Action<int> Body => body;

        public Exception? Failure { get; set; }
    }
}
