using System.Diagnostics;
using ModelZoo.Host.Loading.Tests;

namespace ModelZoo.Host.Commands.Tests;

/// <summary>What only the real process shows.</summary>
public sealed class ExecutableTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("exe-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    private Process Start(params string[] arguments)
    {
        File.WriteAllText(In("plugins.json"), """{ "plugins": ["plugins/*"] }""");
        string[] command = ["dotnet", Path.Combine(AppContext.BaseDirectory, "modelzoo.dll"), .. arguments];
        // A shell's background job ignores SIGINT and hands that on to all that it starts; `env` gives it back.
        if (OperatingSystem.IsLinux()) command = ["env", "--default-signal=INT", .. command];
        return Process.Start(new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
    }

    [Fact]
    public async Task Run_CtrlC_StopsWithinAStepWithItsCodeAndLeavesNoFile()
    {
        if (OperatingSystem.IsWindows()) return; // no SIGINT to send there
        TestPlugins.Build("Good", In("plugins", "good"));
        using var process = Start("generate", "test/echo", "--option", "delay=10000", "--out", "late.txt");
        await Task.Delay(3000);
        using var kill = Process.Start("kill", ["-INT", $"{process.Id}"]);
        await process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token);
        Assert.Equal(ExitCodes.Cancelled, process.ExitCode);
        Assert.Empty(Directory.GetFiles(_folder, "late*"));
    }

    [Fact]
    public async Task Run_WrongUsage_ExitsWithTwoAndKeepsStandardOutputClean()
    {
        using var process = Start("tokenize", "test/echo", "--text", "a", "--option", "nothing");
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal((ExitCodes.Usage, ""), (process.ExitCode, output));
    }
}
