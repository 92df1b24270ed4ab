using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using ModelZoo.Conformance;

namespace ModelZoo.Inference.Tests.Native;

/// <summary>The build step that fetches the native library, run for real with an npm that is a script of this test.</summary>
public sealed class FetchOnnxRuntimeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // One build runs the task several times, since starting builds is what takes the time; the script knows by the folder what it should do.
    [Fact]
    public async Task Fetch_RightAndWrongPackages_UnpacksTheOneFileOrSaysWhatToDo()
    {
        if (OperatingSystem.IsWindows()) return;
        WriteNpm($"case \"$PWD\" in *down*) echo 'network is down' >&2; exit 1;; *tampered*) echo tampered > package-1.0.0.tgz;; *) cp '{WritePackage()}' package-1.0.0.tgz;; esac");
        WriteLock(Integrity(Path.Combine(_folder, "package.tgz")));

        var (code, output) = await Build(("good", "test-x64"), ("unknown", "test-riscv"), ("down", "test-x64"), ("tampered", "test-x64"), ("lacking", "test-empty"));

        Assert.NotEqual(0, code);
        foreach (var error in new[] { "MZ0001", "MZ0003", "MZ0004", "MZ0005" }) Assert.Contains($"error {error}", output);
        Assert.Contains("network is down", output);
        Assert.Equal(4, output.Split('\n').Count(l => l.Contains("error MZ", StringComparison.Ordinal) && l.Contains("MODELZOO_ONNXRUNTIME", StringComparison.Ordinal)));
        var file = Assert.Single(Directory.GetFiles(Path.Combine(_folder, "cache"), "*", SearchOption.AllDirectories));
        Assert.Equal("library", File.ReadAllText(file));
        Assert.Equal(Path.Combine(_folder, "cache", "good", "lib.so.1"), file);
    }

    [Fact]
    public async Task Fetch_NoNpm_SaysThatItIsNeeded()
    {
        if (OperatingSystem.IsWindows()) return;
        WriteNpm(null);
        WriteLock("sha512-right");

        var (code, output) = await Build(("none", "test-x64"));

        Assert.NotEqual(0, code);
        Assert.Contains("error MZ0002", output);
        Assert.Contains("Install Node.js", output);
    }

    private void WriteNpm(string? script)
    {
        var bin = Directory.CreateDirectory(Path.Combine(_folder, "bin")).FullName;
        if (script is null || OperatingSystem.IsWindows()) return;
        var npm = Path.Combine(bin, "npm");
        File.WriteAllText(npm, $"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n");
        File.SetUnixFileMode(npm, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private string WritePackage()
    {
        var path = Path.Combine(_folder, "package.tgz");
        using var tar = new TarWriter(new GZipStream(File.Create(path), CompressionLevel.Fastest), TarEntryFormat.Ustar);
        foreach (var (name, text) in new[] { ("package/package.json", "{}"), ("package/bin/lib.so.1", "library"), ("package/bin/other.so.1", "of another platform") })
            tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text)) });
        return path;
    }

    private void WriteLock(string integrity)
    {
        Directory.CreateDirectory(Path.Combine(_folder, "Native"));
        File.WriteAllText(
            Path.Combine(_folder, "Native", "onnxruntime.lock.json"),
            $$"""{ "package": "package", "version": "1.0.0", "integrity": "{{integrity}}", "files": { "test-x64": ["bin/lib.so.1"], "test-empty": ["bin/not-there.so.1"] } }""");
    }

    private async Task<(int Code, string Output)> Build(params (string Name, string Platform)[] fetches)
    {
        var build = Directory.CreateDirectory(Path.Combine(_folder, "build")).FullName;
        foreach (var file in Directory.GetFiles(Repository.Path("contracts", "ModelZoo.Inference", "build"))) File.Copy(file, Path.Combine(build, Path.GetFileName(file)));
        var calls = string.Concat(fetches.Select(f => $"""<FetchOnnxRuntime LockFile="$(OnnxRuntimeLock)" Platform="{f.Platform}" Folder="{_folder}/cache/{f.Name}" ContinueOnError="ErrorAndContinue" />"""));
        var project = Path.Combine(build, "fetch.proj");
        File.WriteAllText(project, $"""<Project><Import Project="OnnxRuntime.targets" /><Target Name="Test">{calls}</Target></Project>""");

        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[] { "msbuild", project, "-t:Test", "-nodeReuse:false", "-tl:off", "-v:m", "-clp:NoSummary" }) start.ArgumentList.Add(argument);
        start.Environment["PATH"] = Path.Combine(_folder, "bin");
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync() + await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }

    private static string Integrity(string file) => "sha512-" + Convert.ToBase64String(SHA512.HashData(File.ReadAllBytes(file)));
}
