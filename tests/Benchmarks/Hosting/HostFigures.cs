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
        foreach (var manifest in new[] { "none", "twenty" })
        {
            var times = new List<double>();
            for (var round = 0; round < 7; round++)
            {
                var clock = Stopwatch.StartNew();
                using var process = Process.Start(new ProcessStartInfo("dotnet", [host, "list", "--json", "--manifest", Path.Combine(folder, manifest + ".json")]) { RedirectStandardOutput = true })!;
                await process.StandardOutput.ReadToEndAsync();
                await process.WaitForExitAsync();
                times.Add(clock.Elapsed.TotalMilliseconds);
            }

            output.WriteLine($"process with {(manifest == "none" ? 0 : Plugins)} plugins, from start to list: median {Median(times)} ms, best {Number(times.Min())} ms");
        }

        var loads = new List<double>();
        for (var round = 0; round < 7; round++)
        {
            await using var services = Services(folder, new());
            var clock = Stopwatch.StartNew();
            await services.GetRequiredService<PluginCatalog>().LoadAsync([new(Path.Combine(folder, "all", "*"), "benchmark")]);
            loads.Add(clock.Elapsed.TotalMilliseconds);
        }

        output.WriteLine($"loading {Plugins} plugins ({families.Count} families in turn): first {Number(loads[0])} ms, median {Median(loads)} ms");
    }

    private static async Task MemoryAsync(string folder, TextWriter output)
    {
        await using var services = Services(folder, new());
        var catalog = services.GetRequiredService<PluginCatalog>();
        await catalog.LoadAsync([new(PluginDll, "benchmark")]); // what is learned once
        var (managed, anonymous) = (GC.GetTotalMemory(forceFullCollection: true), PrivateBytes());
        await catalog.LoadAsync([new(Path.Combine(folder, "all", "*"), "benchmark")]);
        output.WriteLine($"memory for each of {Plugins} plugins: {Number((GC.GetTotalMemory(forceFullCollection: true) - managed) / 1024.0 / Plugins)} KB managed, {Number((PrivateBytes() - anonymous) / 1024.0 / Plugins)} KB private in all");
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
        output.WriteLine($"from the end of a copy into a watched folder to the first answer: median {Median(times)} ms, worst {Number(times.Max())} ms");
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

        output.WriteLine($"a call in the host's own context: median {Median(direct)} ns; in a plugin's: {Median(loaded)} ns; with queue, lease, metering, containment and provenance: {Median(whole)} ns");
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

    private static string Median(List<double> times) => Number(times.Order().ElementAt(times.Count / 2));

    private static string Number(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}
