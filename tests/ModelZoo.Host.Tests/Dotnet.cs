using System.Diagnostics;

namespace ModelZoo.Host.Tests;

/// <summary>The dotnet command, as a person would call it in a folder.</summary>
internal static class Dotnet
{
    /// <summary>Where restored packages of this machine are.</summary>
    public static string PackageCache { get; } = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    /// <summary>Exit code, and all that it wrote.</summary>
    public static async Task<(int Code, string Output)> RunAsync(string folder, IReadOnlyList<string> arguments)
    {
        var (code, output, error) = await StartAsync(folder, arguments);
        return (code, output + error);
    }

    /// <summary>Fails the test unless the command succeeds; gives its standard output.</summary>
    public static async Task<string> SucceedsAsync(string folder, params IReadOnlyList<string> arguments)
    {
        var (code, output, error) = await StartAsync(folder, arguments);
        Assert.True(code == 0, $"dotnet {string.Join(' ', arguments)}\n{output}\n{error}");
        return output;
    }

    private static async Task<(int Code, string Output, string Error)> StartAsync(string folder, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["MODELZOO_STATE"] = Path.Combine(folder, "state");
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
