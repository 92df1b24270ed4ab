using System.IO.MemoryMappedFiles;
using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>
/// A file mapped into memory, read-only. Whoever holds a <see cref="WeightData"/> of it keeps it mapped; it goes with the last of them, so nothing can point at memory that
/// is gone.
/// </summary>
internal sealed unsafe class MappedFile
{
    private readonly MemoryMappedViewAccessor? _view;

    /// <summary>Maps <paramref name="path"/>.</summary>
    /// <exception cref="CheckpointException"><see cref="ErrorCodes.CheckpointMissing"/>: it is not there or cannot be read.</exception>
    public MappedFile(string path)
    {
        Path = path;
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            Length = stream.Length;
            if (Length == 0) return;
            using var file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            _view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMissing, "The file cannot be read.", e) { Where = path, Found = e.Message, Remedy = "Check the path and its permissions." };
        }

        byte* address = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
        Address = address + _view.PointerOffset;
    }

    /// <summary>Unmaps the file, after nothing can reach a part of it.</summary>
    ~MappedFile()
    {
        _view?.SafeMemoryMappedViewHandle.ReleasePointer();
        _view?.Dispose();
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Its bytes.</summary>
    public long Length { get; }

    /// <summary>The first byte; null for an empty file.</summary>
    public byte* Address { get; }
}
