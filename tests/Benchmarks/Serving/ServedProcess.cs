using System.Diagnostics;
using System.Text.Json;

namespace ModelZoo.Benchmarks.Serving;

/// <summary>A real <c>modelzoo serve</c> with one model.</summary>
internal sealed class ServedProcess : IAsyncDisposable
{
    private readonly string _folder;

    private ServedProcess(Process process, string folder, Uri address) => (Process, _folder, Address) = (process, folder, address);

    public Process Process { get; }

    public Uri Address { get; }

    /// <summary>The repository.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Starts it.</summary>
    /// <param name="family">Folder of the plugin below <c>artifacts/plugins</c>.</param>
    /// <param name="model">The model.</param>
    /// <param name="checkpoint">Its weights.</param>
    /// <param name="concurrency">Requests that run on a model at a time.</param>
    public static async Task<ServedProcess> StartAsync(string family, string model, string checkpoint, int concurrency)
    {
        var folder = Directory.CreateTempSubdirectory("load-").FullName;
        var manifest = Path.Combine(folder, "plugins.json");
        await File.WriteAllTextAsync(manifest, JsonSerializer.Serialize(new
        {
            plugins = new[] { Path.Combine(Root, "artifacts", "plugins", family) },
            models = new Dictionary<string, object> { [model] = new { checkpoint = Path.GetFullPath(checkpoint) } },
            queue = new { concurrency, limit = 1024 },
        }));
        var start = new ProcessStartInfo(Path.Combine(Root, "artifacts/bin/ModelZoo.Host/release/modelzoo"), ["serve", "--port", "0", "--manifest", manifest]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["MODELZOO_STATE"] = Path.Combine(folder, "state");
        var process = Process.Start(start)!;
        _ = process.StandardError.ReadToEndAsync();
        var first = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The server did not start.");
        _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null); // its log is read, as a log is
        return new(process, folder, new(first.Split(' ')[^1]));
    }

    public async ValueTask DisposeAsync()
    {
        Process.Kill();
        await Process.WaitForExitAsync();
        Process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "ModelZoo.sln"))) folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("Run it from the repository's build.");
        return folder;
    }
}
