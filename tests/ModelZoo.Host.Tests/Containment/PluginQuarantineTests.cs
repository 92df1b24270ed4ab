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

    private static ProcessIdentity Self => ProcessIdentity.Current;

    // What a process that was killed leaves: its file, which nobody holds any more.
    private string LeaveMarks(ProcessIdentity owner)
    {
        var marks = Path.Combine(_folder, "running");
        using var process = new CrashMarks(marks, _quarantine, owner);
        using (process.Begin("idle", _folder)) { }
        process.Begin("plugin", _plugin);
        using var copy = System.Diagnostics.Process.Start("cp", [Assert.Single(Directory.GetFiles(marks)), Path.Combine(marks, "left.marks")]);
        copy.WaitForExit();
        return marks;
    }

    [Theory]
    [InlineData("ended", 1, 0)]
    [InlineData("before the machine started again", 1, 0)]
    [InlineData("lives", 0, 1)]
    [InlineData("on another machine", 0, 1)]
    public void Marks_LeftBehind_StrikeThoseAtWorkInProcessesThatAreGone(string owner, int strikes, int left)
    {
        if (OperatingSystem.IsWindows()) return; // files that are open cannot be copied there
        var marks = LeaveMarks(owner switch
        {
            "ended" => Self with { Started = Self.Started.AddHours(-1) },
            "before the machine started again" => Self with { Boot = "another" },
            "on another machine" => Self with { Machine = "another", Started = Self.Started.AddHours(-1) },
            _ => Self,
        });
        using (new CrashMarks(marks, _quarantine)) Assert.Equal(strikes, _quarantine.Entries.Where(entry => entry.Name == "plugin").Sum(entry => entry.Strikes));
        Assert.Equal(left, Directory.GetFiles(marks).Length);
        Assert.Equal(strikes, _quarantine.Entries.Count);
    }

    [Fact]
    public void Marks_OfAMachineThatNeverCameBack_AreClearedAway()
    {
        if (OperatingSystem.IsWindows()) return;
        var marks = LeaveMarks(Self with { Machine = "another" });
        File.SetLastWriteTimeUtc(Path.Combine(marks, "left.marks"), DateTime.UtcNow - CrashMarks.Keep - TimeSpan.FromHours(1));
        using (new CrashMarks(marks, _quarantine)) Assert.Empty(_quarantine.Entries);
        Assert.Empty(Directory.GetFiles(marks));
    }

    [Fact]
    public void ProcessIdentity_AsText_ComesBack() => Assert.Equal((Self, ProcessFate.Lives), (ProcessIdentity.TryParse(Self.ToString()), Self.FateOf(ProcessIdentity.TryParse(Self.ToString())!)));

    [Fact]
    public void Marks_CleanEndAfterWork_Forgives()
    {
        _quarantine.Strike("plugin", _plugin, "the process ended");
        using (var process = new CrashMarks(Path.Combine(_folder, "running"), _quarantine)) process.Begin("plugin", _plugin)!.Dispose();
        Assert.Empty(_quarantine.Entries);
    }
}
