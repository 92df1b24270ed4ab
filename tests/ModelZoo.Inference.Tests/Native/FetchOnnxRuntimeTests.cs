using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace ModelZoo.Inference.Tests.Native;

/// <summary>The build step that fetches the native library, run for real with an npm that is a script of this test.</summary>
public sealed class FetchOnnxRuntimeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Fetch_PinnedPackage_UnpacksOnlyTheFileOfThisPlatform()
    {
        if (OperatingSystem.IsWindows()) return;
        WriteNpm($"cp '{WritePackage()}' package-1.0.0.tgz");
        WriteLock(Integrity(Path.Combine(_folder, "package.tgz")));

        var (code, output) = await Build();

        Assert.True(code == 0, output);
        var file = Assert.Single(Directory.GetFiles(Path.Combine(_folder, "cache"), "*", SearchOption.AllDirectories));
        Assert.EndsWith(Path.Combine("onnxruntime", "1.0.0", "test-x64", "lib.so.1"), file);
        Assert.Equal("library", File.ReadAllText(file));
    }

    [Theory]
    [InlineData("MZ0001", "test-riscv", "exit 0")]
    [InlineData("MZ0002", "test-x64", null)]
    [InlineData("MZ0003", "test-x64", "echo 'network is down' >&2; exit 1")]
    [InlineData("MZ0004", "test-x64", "echo tampered > package-1.0.0.tgz")]
    public async Task Fetch_SomethingWrong_IsOneErrorThatSaysWhatToDo(string error, string platform, string? npm)
    {
        if (OperatingSystem.IsWindows()) return;
        WriteNpm(npm);
        WriteLock("sha512-right");

        var (code, output) = await Build(platform);

        Assert.NotEqual(0, code);
        Assert.Contains($"error {error}", output);
        Assert.Contains("MODELZOO_ONNXRUNTIME", output);
        Assert.Empty(Directory.Exists(Path.Combine(_folder, "cache")) ? Directory.GetFiles(Path.Combine(_folder, "cache"), "*", SearchOption.AllDirectories) : []);
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
        File.WriteAllText(Path.Combine(_folder, "Native", "onnxruntime.lock.json"), $$"""{ "package": "package", "version": "1.0.0", "integrity": "{{integrity}}", "files": { "test-x64": ["bin/lib.so.1"] } }""");
    }

    private async Task<(int Code, string Output)> Build(string platform = "test-x64")
    {
        var build = Directory.CreateDirectory(Path.Combine(_folder, "build")).FullName;
        foreach (var file in Directory.GetFiles(Path.Combine(Repository(), "contracts", "ModelZoo.Inference", "build"))) File.Copy(file, Path.Combine(build, Path.GetFileName(file)));
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[] { "msbuild", Path.Combine(build, "OnnxRuntime.targets"), "-t:FetchOnnxRuntime", "-nodeReuse:false", "-tl:off", "-v:m", $"-p:OnnxRuntimePlatform={platform}" }) start.ArgumentList.Add(argument);
        start.Environment["PATH"] = Path.Combine(_folder, "bin");
        start.Environment["MODELZOO_CACHE"] = Path.Combine(_folder, "cache");
        start.Environment.Remove("MODELZOO_ONNXRUNTIME");
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync() + await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }

    private static string Integrity(string file) => "sha512-" + Convert.ToBase64String(SHA512.HashData(File.ReadAllBytes(file)));

    private static string Repository([CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", ".."));
}
