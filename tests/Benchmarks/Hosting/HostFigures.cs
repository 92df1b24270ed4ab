using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ModelZoo.Contracts;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Benchmarks.Hosting;

/// <summary>What the host itself costs: its start with twenty plugins, the way from a copied DLL to an answer, a call through a plugin's load context, memory for each plugin.</summary>
internal static class HostFigures
{
    private const int Plugins = 20;
    private static readonly string PluginDll = typeof(EchoPlugin).Assembly.Location;
    private static readonly ModelId Echo = ModelId.Parse("benchmarks/echo");

    /// <summary>Measures.</summary>
    /// <param name="plugins">Folder of the built plugins, <c>artifacts/plugins</c>.</param>
    /// <param name="host">The built <c>modelzoo.dll</c>.</param>
    /// <param name="output">Where the figures go.</param>
    public static async Task RunAsync(string plugins, string host, TextWriter output)
    {
        var folder = Directory.CreateTempSubdirectory("modelzoo-figures-").FullName;
        output.WriteLine("| what the host costs | median | best | worst |\n| --- | --- | --- | --- |");
        Environment.SetEnvironmentVariable("MODELZOO_STATE", Path.Combine(folder, "state"));
        try
        {
            await StartAsync(plugins, host, folder, output);
            await MemoryAsync(folder, output);
            await CopyAsync(folder, output);
            await CallsAsync(folder, output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // Copies of the repository's plugins in turn, and the process from its start to its list of them; the same without plugins is .NET and the command line.
    private static async Task StartAsync(string plugins, string host, string folder, TextWriter output)
    {
        var families = Directory.GetDirectories(plugins).Where(family => Directory.GetFiles(family, "ModelZoo.Plugins.*.dll").Length > 0).ToList();
        for (var i = 0; i < Plugins; i++) CopyFolder(families[i % families.Count], Path.Combine(folder, "all", $"{i:00}"));
        await File.WriteAllTextAsync(Path.Combine(folder, "twenty.json"), """{ "plugins": ["all/*"] }""");
        await File.WriteAllTextAsync(Path.Combine(folder, "none.json"), """{ "plugins": [] }""");
        var (none, first, again) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < 7; round++)
        {
            none.Add(await ListAsync(host, folder, "none"));
            if (Directory.Exists(Path.Combine(folder, "host"))) Directory.Delete(Path.Combine(folder, "host"), recursive: true);
            first.Add(await ListAsync(host, folder, "twenty"));
            again.Add(await ListAsync(host, folder, "twenty"));
        }

        Row(output, "start without plugins, process to list", none, "ms");
        Row(output, $"start with {Plugins} plugins ({families.Count} families in turn), process to list", again, "ms");
        Row(output, "the same when the host never saw them", first, "ms");
    }

    private static async Task<double> ListAsync(string host, string folder, string manifest)
    {
        var clock = Stopwatch.StartNew();
        var start = new ProcessStartInfo("dotnet", [host, "list", "--json", "--manifest", Path.Combine(folder, manifest + ".json")]) { RedirectStandardOutput = true };
        start.Environment["MODELZOO_CACHE"] = Path.Combine(folder, "host");
        using var process = Process.Start(start)!;
        await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return clock.Elapsed.TotalMilliseconds;
    }

    private static async Task MemoryAsync(string folder, TextWriter output)
    {
        await using var services = Services(folder, new());
        var catalog = services.GetRequiredService<PluginCatalog>();
        await catalog.LoadAsync([new(PluginDll, "benchmark")]); // what is learned once
        var (managed, anonymous) = (GC.GetTotalMemory(forceFullCollection: true), PrivateBytes());
        await catalog.LoadAsync([new(Path.Combine(folder, "all", "*"), "benchmark")]);
        Row(output, $"memory for each of {Plugins} plugins, loaded: managed", [(GC.GetTotalMemory(forceFullCollection: true) - managed) / 1024.0 / Plugins], "KB");
        Row(output, "the same: private in all, machine code included", [(PrivateBytes() - anonymous) / 1024.0 / Plugins], "KB");
    }

    private static async Task CopyAsync(string folder, TextWriter output)
    {
        var watched = Directory.CreateDirectory(Path.Combine(folder, "watched")).FullName;
        await using var services = Services(folder, new HostManifest { Watch = [watched] });
        var watcher = services.GetServices<IHostedService>().OfType<PluginWatcher>().Single();
        await watcher.StartAsync(default);
        var verbs = services.GetRequiredService<ModelVerbs>();
        var times = new List<double>();
        for (var round = 0; round < 10; round++)
        {
            var path = Path.Combine(watched, $"Plugin{round}.dll");
            File.Copy(PluginDll, path);
            var clock = Stopwatch.StartNew();
            while (!await AnswersAsync(verbs)) await Task.Delay(1);
            times.Add(clock.Elapsed.TotalMilliseconds);
            File.Delete(path);
            while (services.GetRequiredService<PluginCatalog>().Ready.Any()) await Task.Delay(10);
        }

        await watcher.StopAsync(default);
        Row(output, "from the end of a copy into a watched folder to the first answer", times, "ms");
    }

    private static async Task<bool> AnswersAsync(ModelVerbs verbs)
    {
        try
        {
            await verbs.TokenizeAsync(new(Echo), new Text("x"), [], default);
            return true;
        }
        catch (ModelZooException error) when (error.Code == ErrorCodes.ModelUnknown)
        {
            return false;
        }
    }

    // The same code, in this process's own context and in a plugin's; and with everything that the host does around it.
    private static async Task CallsAsync(string folder, TextWriter output)
    {
        await using var services = Services(folder, new());
        var catalog = services.GetRequiredService<PluginCatalog>();
        await catalog.LoadAsync([new(PluginDll, "benchmark")]);
        using var lease = await services.GetRequiredService<ModelPool>().AcquireAsync(new(Echo));
        var (own, plugin) = (new EchoModel().Get<ITokenize>(), lease.Model.Get<ITokenize>());
        var verbs = services.GetRequiredService<ModelVerbs>();
        var (direct, loaded, whole) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < 15; round++)
        {
            direct.Add(await NanosecondsAsync(1_000_000, () => own.TokenizeAsync(Word, own.TokenizeOptions.Defaults)));
            loaded.Add(await NanosecondsAsync(1_000_000, () => plugin.TokenizeAsync(Word, plugin.TokenizeOptions.Defaults)));
            whole.Add(await NanosecondsAsync(20_000, async () => (await verbs.TokenizeAsync(new(Echo), Word, [], default)).Value));
        }

        Row(output, "a call in the host's own load context", direct, "ns");
        Row(output, "the same in a plugin's", loaded, "ns");
        Row(output, "the same with queue, lease, metering, containment and provenance", whole, "ns");
    }

    private static readonly Text Word = new("x");

    private static async Task<double> NanosecondsAsync(int calls, Func<ValueTask<Tokens>> call)
    {
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < calls; i++) await call();
        return clock.Elapsed.TotalNanoseconds / calls;
    }

    private static ServiceProvider Services(string folder, HostManifest manifest)
    {
        var services = new ServiceCollection().AddLogging();
        Zoo.AddZoo(services, new());
        services.AddSingleton(manifest);
        services.AddSingleton(new PluginLoadSettings(Path.Combine(folder, "cache"), ShadowCopy: manifest.Watch.Count > 0));
        var provider = services.BuildServiceProvider();
        provider.GetRequiredService<PluginLifecycle>();
        return provider;
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    // What no file stands behind, as Linux counts it.
    private static double PrivateBytes() => File.ReadLines("/proc/self/status").Where(line => line.StartsWith("RssAnon:", StringComparison.Ordinal)).Sum(line => double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)) * 1024;

    private static void Row(TextWriter output, string what, List<double> values, string unit)
    {
        string Number(double value) => value.ToString(value < 100 ? "0.#" : "0", CultureInfo.InvariantCulture);
        output.WriteLine($"| {what} | {Number(values.Order().ElementAt(values.Count / 2))} {unit} | {(values.Count > 1 ? $"{Number(values.Min())} | {Number(values.Max())}" : "|")} |");
    }
}
