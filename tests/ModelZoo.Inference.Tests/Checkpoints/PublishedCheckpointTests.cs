namespace ModelZoo.Inference.Tests.Checkpoints;

/// <summary>Real files: every published checkpoint of the parity cases opens, and every tensor of it can be read.</summary>
public sealed class PublishedCheckpointTests
{
    private static readonly string[] Extensions = [".pt", ".pth", ".ckpt", ".bin", ".th", ".tar", ".pkl", ".safetensors", ".npy", ".npz"];

    public static TheoryData<string> Folders => [.. Shared.Folders("checkpoints", "parity")];

    [Theory, MemberData(nameof(Folders))]
    public void Open_PublishedFiles_ReadsEveryTensor(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(f => Extensions.Contains(Path.GetExtension(f))))
        {
            using var checkpoint = Checkpoint.Open(file);
            foreach (var tensor in checkpoint.Tensors) Assert.Equal(tensor.Shape, checkpoint.Get(tensor.Name).Shape.ToArray());
            Assert.Empty(checkpoint.Unused);
        }
    }
}
