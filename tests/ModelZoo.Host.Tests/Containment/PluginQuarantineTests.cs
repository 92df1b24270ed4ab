namespace ModelZoo.Host.Containment.Tests;

public sealed class PluginQuarantineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("quarantine-").FullName;
    private readonly PluginQuarantine _quarantine;
    private readonly string _plugin;

    public PluginQuarantineTests()
    {
        _quarantine = new(Path.Combine(_folder, "quarantine"), TimeProvider.System);
        _plugin = Path.Combine(_folder, "plugin.dll");
        File.WriteAllText(_plugin, "one");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Strike_SecondTime_Condemns()
    {
        Assert.False(_quarantine.Strike("plugin", _plugin, "it hung").IsCondemned);
        Assert.Null(_quarantine.Refuses(_plugin));
        Assert.True(_quarantine.Strike("plugin", _plugin, "it hung").IsCondemned);
        Assert.Contains("it hung. Put other files in its place, or lift it with `modelzoo plugins release plugin`.", _quarantine.Refuses(_plugin), StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_OtherFilesInItsPlace_GetANewChance()
    {
        _quarantine.Strike("plugin", _plugin, "it hung");
        _quarantine.Strike("plugin", _plugin, "it hung");
        File.WriteAllText(_plugin, "two");
        Assert.Null(_quarantine.Refuses(_plugin));
        Assert.Empty(_quarantine.Entries);
    }

    [Fact]
    public void Entries_FileCannotBeWritten_AreKnownToThisProcess()
    {
        File.WriteAllText(Path.Combine(_folder, "quarantine"), "a file where the folder should be");
        _quarantine.Condemn("plugin", _plugin, "digest", "it threw");
        Assert.True(Assert.Single(_quarantine.Entries).IsCondemned);
    }

    [Fact]
    public void Marks_ProcessEndsWithoutAWord_StrikesThoseAtWork()
    {
        if (OperatingSystem.IsWindows()) return; // files that are open cannot be copied there
        var marks = Path.Combine(_folder, "running");
        using (var process = new CrashMarks(marks, _quarantine))
        {
            using (process.Begin("idle", _folder)) { }
            process.Begin("plugin", _plugin);
            // What is left of a process that was killed: its file, which nobody holds any more.
            using var copy = System.Diagnostics.Process.Start("cp", [Assert.Single(Directory.GetFiles(marks)), Path.Combine(marks, "dead.marks")]);
            copy.WaitForExit();
        }

        using (new CrashMarks(marks, _quarantine)) Assert.Equal(("plugin", 1), Assert.Single(_quarantine.Entries) is var entry ? (entry.Name, entry.Strikes) : default);
        Assert.Empty(Directory.GetFiles(marks));
    }

    [Fact]
    public void Marks_CleanEndAfterWork_Forgives()
    {
        _quarantine.Strike("plugin", _plugin, "the process ended");
        using (var process = new CrashMarks(Path.Combine(_folder, "running"), _quarantine)) process.Begin("plugin", _plugin)!.Dispose();
        Assert.Empty(_quarantine.Entries);
    }
}
