using System.Diagnostics;
using System.Text.Json.Nodes;
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
        return Process.Start(new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true, Environment = { ["MODELZOO_STATE"] = In("state"), ["MODELZOO_CACHE"] = In("cache"), ["XDG_CONFIG_HOME"] = In("config") } })!;
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    [Fact]
    public async Task Run_PluginEndsTheProcessTwice_IsQuarantinedUntilReleasedAndOthersGoOn()
    {
        TestPlugins.Build("Good", In("plugins", "good"));
        TestPlugins.Build("Misbehaves", In("plugins", "bad"));
        for (var i = 0; i < 2; i++) Assert.Contains("the end", (await RunAsync("generate", "test/misbehaves", "--option", "mode=fail-fast", "--out", "x.txt")).Error, StringComparison.Ordinal);

        var (code, _, error) = await RunAsync("generate", "test/misbehaves", "--out", "x.txt");
        Assert.NotEqual(ExitCodes.Ok, code);
        Assert.Contains("Misbehaves is failed: It is in quarantine since", error, StringComparison.Ordinal);
        Assert.Contains("the host's process ended without a word while this plugin was at work", error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Ok, (await RunAsync("generate", "test/echo", "--prompt", "a", "--out", "x.txt")).Code);

        Assert.Equal(ExitCodes.Ok, (await RunAsync("plugins", "release", "Misbehaves")).Code);
        Assert.Equal(ExitCodes.Ok, (await RunAsync("generate", "test/misbehaves", "--out", "x.txt")).Code);
    }

    [Fact]
    public async Task Run_PluginThrowsOnAPoolThread_TheProcessGoesOn()
    {
        TestPlugins.Build("Misbehaves", In("plugins", "bad"));
        var (code, output, error) = await RunAsync("generate", "test/misbehaves", "--option", "mode=pool", "--out", "x.txt");
        Assert.True(code == ExitCodes.Ok, error);
        Assert.Contains("x.txt", output, StringComparison.Ordinal);
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

    /// <summary>The user's own file over the project's, and --plugin over both; twice, for the second start knows the plugins from the first.</summary>
    [Fact]
    public async Task Run_ProjectUserAndCommandLine_AreLaidOverEachOther()
    {
        if (!OperatingSystem.IsLinux()) return; // elsewhere the user's folder is not an environment variable's to name
        TestPlugins.Build("Good", In("plugins", "good"));
        TestPlugins.Build("Misbehaves", In("plugins", "other"));
        TestPlugins.Build("Leaks", In("more"));
        Directory.CreateDirectory(In("config", "modelzoo"));
        File.WriteAllText(In("config", "modelzoo", "plugins.json"), $$"""{ "plugins": [{ "path": "{{In("plugins", "other")}}", "enabled": false }] }""");
        for (var start = 0; start < 2; start++)
        {
            var list = JsonNode.Parse((await RunAsync("plugins", "list", "--json", "--plugin", In("more"))).Output)!.AsArray();
            Assert.Equal(["Good ready", "Leaks ready", "other disabled"], list.Select(plugin => $"{plugin!["name"]} {plugin["state"]}").Order(StringComparer.Ordinal));
        }

        Assert.Equal(ExitCodes.Ok, (await RunAsync("generate", "test/echo", "--prompt", "a", "--out", "x.txt")).Code);
        Assert.Equal(2, Directory.GetFiles(In("cache", "tables"), "*.table").Length);
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
