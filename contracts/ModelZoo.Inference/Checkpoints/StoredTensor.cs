using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>A tensor of a file: what it is, and its elements when they are asked for. They are found or made once.</summary>
internal sealed class StoredTensor(TensorInfo info, Func<WeightData> read)
{
    private readonly Lazy<WeightData> _data = new(read);

    public TensorInfo Info => info;

    public WeightData Data => _data.Value;

    public StoredTensor Named(string name) => new(info with { Name = name }, () => Data);

    /// <summary>A dense tensor at <paramref name="offset"/> of a file, used in place; copied only when it does not lie at a multiple of its element's size.</summary>
    public static unsafe StoredTensor InPlace(string name, ElementType type, long[] shape, ByteBlock file, long offset) => new(new(name, type, [.. shape]), () =>
    {
        var address = file.Address + offset;
        var inPlace = new WeightData(type, shape, address, file.Owner);
        return (nint)address % type.Size() == 0 ? inPlace : StridedCopy.Make(inPlace, shape, StridedCopy.Dense(shape));
    });
}
