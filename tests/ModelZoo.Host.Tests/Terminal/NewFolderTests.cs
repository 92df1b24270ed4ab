using ModelZoo.Contracts;
using ModelZoo.Host.Terminal;

namespace ModelZoo.Host.Tests.Terminal;

public sealed class NewFolderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private string In(params string[] parts) => Path.Combine([_root, .. parts]);

    [Fact]
    public void Dispose_NothingCameIntoIt_LeavesWhatWasThereBefore()
    {
        using (new NewFolder(In("a", "b", "c"))) Assert.True(Directory.Exists(In("a", "b", "c")));
        Assert.False(Directory.Exists(In("a")));
        Directory.CreateDirectory(In("kept"));
        new NewFolder(In("kept")).Dispose();
        Assert.True(Directory.Exists(In("kept")));
    }

    [Fact]
    public void Dispose_SomethingCameIntoIt_StaysWithAllAboveIt()
    {
        using (new NewFolder(In("a", "b"))) File.WriteAllText(In("a", "b", "model"), "x");
        Assert.Equal("x", File.ReadAllText(In("a", "b", "model")));
    }

    [Fact]
    public void Constructor_AFileStandsThere_SaysSo()
    {
        File.WriteAllText(In("file"), "x");
        Assert.Equal(In("file"), Assert.Throws<MediaException>(() => new NewFolder(In("file"))).Where);
    }
}
