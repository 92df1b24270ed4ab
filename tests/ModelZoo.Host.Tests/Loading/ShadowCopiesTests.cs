using ModelZoo.Host.Loading;

namespace ModelZoo.Host.Tests.Loading;

public sealed class ShadowCopiesTests : IDisposable
{
    private readonly string _cache = Directory.CreateTempSubdirectory("modelzoo-shadow-").FullName;

    public void Dispose() => Directory.Delete(_cache, recursive: true);

    [Fact]
    public void Sweep_CopiesOfProcessesThatAreGone_AreDeletedAndOthersStay()
    {
        // No process has this number: the system's largest is smaller.
        var (dead, alive, foreign) = (Make($"{int.MaxValue}-a"), Make($"{Environment.ProcessId}-b"), Make("notes"));
        ShadowCopies.Sweep(_cache);
        Assert.Equal((false, true, true), (Directory.Exists(dead), Directory.Exists(alive), Directory.Exists(foreign)));
    }

    private string Make(string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_cache, "running", name)).FullName;
        File.WriteAllText(Path.Combine(folder, "plugin.dll"), "");
        return folder;
    }
}
