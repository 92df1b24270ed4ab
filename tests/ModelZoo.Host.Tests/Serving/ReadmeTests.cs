using System.Diagnostics;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>The README's <c>curl</c> lines, run one after the other as they are written; only the port is another.</summary>
public sealed class ReadmeTests
{
    [Fact]
    public async Task CurlLines_AsWritten_Work()
    {
        string[] families = ["DiffusionTransformers", "Speech"];
        if (!OperatingSystem.IsLinux() || !BuiltPlugins.Are(families)) return;
        var lines = File.ReadAllLines(Repository.Path("README.md")).Where(line => line.StartsWith("curl ", StringComparison.Ordinal)).ToList();
        Assert.True(lines.Count >= 8);
        var folder = Directory.CreateTempSubdirectory("readme-").FullName;
        Directory.CreateSymbolicLink(Path.Combine(folder, "samples"), Repository.Path("samples"));
        await using var server = await TestServer.StartAsync(settings => settings with { DataFolder = Repository.Path(".") }, manifest: new HostManifest
        {
            Plugins = [.. families.Select(family => new PluginEntry(Repository.Path("artifacts", "plugins", family), "test"))],
            Models = new Dictionary<ModelId, ModelEntry>
            {
                [ModelId.Parse("speech/encodec.8khz")] = new() { Checkpoint = Repository.Path("samples", "encodec-8khz") },
                [ModelId.Parse("diffusion-transformers/dit.digits")] = new() { Checkpoint = Repository.Path("samples", "dit-digits") },
            },
        });
        foreach (var line in lines)
        {
            using var shell = Process.Start(new ProcessStartInfo("bash", ["-c", line.Replace("http://127.0.0.1:8080", server.Address, StringComparison.Ordinal)]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
            var (output, error) = (shell.StandardOutput.ReadToEndAsync(), shell.StandardError.ReadToEndAsync());
            await shell.WaitForExitAsync();
            Assert.True(shell.ExitCode == 0, $"{line}\n{await error}\n{await output}");
        }

        Assert.Equal("RIFF"u8, File.ReadAllBytes(Path.Combine(folder, "coded.wav")).AsSpan(0, 4));
        Assert.Equal("PNG"u8, File.ReadAllBytes(Path.Combine(folder, "seven.png")).AsSpan(1, 3));
        Directory.Delete(Path.Combine(folder, "samples"));
        Directory.Delete(folder, recursive: true);
    }
}
