using ModelZoo.Contracts;

namespace ModelZoo.Inference.Torch;

/// <summary>A view of a storage. Complex numbers become a last dimension of two, the real and the imaginary part.</summary>
internal sealed unsafe class TorchTensor
{
    private readonly string _path;
    private readonly TorchStorage _storage;
    private readonly ElementType _type;
    private readonly long _offset;
    private readonly long[] _shape, _strides;

    /// <summary>Checks that the view stays within its storage.</summary>
    /// <exception cref="CheckpointException">It does not.</exception>
    public TorchTensor(string path, TorchStorage storage, TorchType type, long offset, long[] shape, long[] strides)
    {
        (_path, _storage, _type) = (path, storage, type.Element);
        if (shape.Length != strides.Length || offset < 0 || shape.Any(s => s < 0) || strides.Any(s => s < 0)) throw Outside(shape, strides, offset);
        try
        {
            var last = offset;
            for (var i = 0; i < shape.Length; i++) last = checked(last + (shape[i] - 1) * strides[i]);
            var bytes = checked(storage.Count * storage.Type.Size);
            if (Tensor.Count(shape) > 0 && (last < 0 || checked((last + 1) * type.Size) > bytes)) throw Outside(shape, strides, offset);
        }
        catch (OverflowException)
        {
            throw Outside(shape, strides, offset);
        }

        _offset = offset * type.Parts;
        _shape = type.Parts == 1 ? shape : [.. shape, type.Parts];
        _strides = type.Parts == 1 ? strides : [.. strides.Select(s => s * type.Parts), 1];
    }

    /// <summary>This tensor as the reader's callers see it.</summary>
    public StoredTensor Stored(string name) => new(new(name, _type, [.. _shape]), Read);

    private WeightData Read()
    {
        var bytes = _storage.Bytes ?? throw CheckpointErrors.Malformed(_path, "The elements of a tensor are not in the file.");
        var first = new WeightData(_type, _shape, bytes.Address + _offset * _type.Size(), bytes.Owner);
        if (StridedCopy.IsDense(_shape, _strides) && first.Address % _type.Size() == 0) return first;
        return Tensor.Count(_shape) * _type.Size() <= Array.MaxLength ? StridedCopy.Make(first, _shape, _strides)
            : throw CheckpointErrors.Malformed(_path, "A tensor is a view that is too large to be written out.", found: first.ToString());
    }

    private CheckpointException Outside(long[] shape, long[] strides, long offset) => CheckpointErrors.Malformed(
        _path, "A tensor reaches outside its storage.", $"{_storage.Count} elements", $"[{string.Join(", ", shape)}] with strides [{string.Join(", ", strides)}] from {offset}");
}
