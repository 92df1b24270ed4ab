using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Checkpoints;

/// <summary>A checkpoint file for one test: safetensors of flat tensors, or given bytes.</summary>
internal sealed class TemporaryCheckpoint : IDisposable
{
    private TemporaryCheckpoint(string path) => (Path, Checkpoint) = (path, Checkpoint.Open(path));

    public string Path { get; }

    public Checkpoint Checkpoint { get; }

    public static TemporaryCheckpoint Of(params (string Name, float[] Values)[] tensors)
    {
        var path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"{Guid.NewGuid():N}.safetensors");
        SafetensorsWriter.Write(path, tensors.ToDictionary(t => t.Name, t => (Tensor)Tensor.Create(t.Values, t.Values.Length)));
        return new(path);
    }

    public static TemporaryCheckpoint Of(byte[] file, string extension)
    {
        var path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"{Guid.NewGuid():N}{extension}");
        File.WriteAllBytes(path, file);
        return new(path);
    }

    public void Dispose()
    {
        Checkpoint.Dispose();
        File.Delete(Path);
    }
}
