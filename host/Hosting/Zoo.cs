using ModelZoo.Contracts;
using ModelZoo.Host.Containment;
using ModelZoo.Host.Demo;
using ModelZoo.Host.Evaluation;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Media;
using ModelZoo.Host.Models;
using ModelZoo.Host.Replay;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Shards;
using ModelZoo.Host.Verification;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Host.Hosting;

/// <summary>Puts the host together.</summary>
internal static class Zoo
{
    /// <summary>The host's services, with every plugin of the manifest loaded.</summary>
    public static async Task<IHost> StartAsync(ZooOptions options, CancellationToken cancel)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new() { ApplicationName = "modelzoo" });
        if (options.Verbose) builder.Logging.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace).SetMinimumLevel(LogLevel.Debug);
        AddZoo(builder.Services, options);
        var host = builder.Build();
        try
        {
            host.Services.GetRequiredService<BackgroundFaults>();
            host.Services.GetRequiredService<PluginLifecycle>(); // hears of plugins that are condemned
            await host.Services.GetRequiredService<PluginCatalog>().LoadAsync(host.Services.GetRequiredService<HostManifest>().Plugins, cancel).ConfigureAwait(false);
            return host;
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }

    /// <summary>Every service of the host.</summary>
    public static IServiceCollection AddZoo(IServiceCollection services, ZooOptions options) => services
        .AddSingleton(options)
        .AddSingleton(_ => ReadManifest(options))
        .AddSingleton<LiveManifest>()
        .AddSingleton(new PluginLoadSettings(Path.Combine(CacheFolder, "plugins"), options.ShadowCopy) { Tables = Path.Combine(CacheFolder, "tables") })
        .AddSingleton(_ => Loader())
        .AddSingleton(provider => Quarantine(provider.GetRequiredService<TimeProvider>()))
        .AddSingleton(provider => Marks(provider.GetRequiredService<PluginQuarantine>()))
        .AddSingleton<PluginFaults>()
        .AddSingleton<BackgroundFaults>()
        .AddSingleton<PluginCatalog>()
        .AddSingleton<PluginLifecycle>()
        .AddSingleton<PluginReconciler>()
        .AddHostedService<PluginWatcher>()
        .AddSingleton(provider => Engine(provider.GetService<ILoggerFactory>()))
        .AddSingleton(provider => new PluginServices(provider.GetRequiredService<Lazy<InferenceRuntime>>(), () => Batching(provider)))
        .AddSingleton(TimeProvider.System)
        .AddSingleton<ModelResolver>()
        .AddSingleton<ModelPool>()
        .AddSingleton<ModelWarmer>()
        .AddHostedService(provider => provider.GetRequiredService<ModelWarmer>())
        .AddSingleton<ModelMeter>()
        .AddSingleton<ProvenanceSource>()
        .AddSingleton<MediaFiles>()
        .AddSingleton<IMediaReader>(provider => provider.GetRequiredService<MediaFiles>())
        .AddSingleton<IModelRunner, ModelRunner>()
        .Decorate<IModelRunner, ContainingRunner>()
        .Decorate<IModelRunner, AdmittingRunner>()
        .Decorate<IModelRunner, DeadlineRunner>()
        .Decorate<IModelRunner, MeteringRunner>()
        .AddSingleton<ModelVerbs>()
        .AddSingleton<Evaluator>()
        .AddSingleton<EvaluationShards>()
        .AddSingleton<GenerationShards>()
        .AddSingleton<ModelDirectory>()
        .AddSingleton<Replayer>()
        .AddSingleton<IDemoStep>(provider => new CodecDemo(provider.GetRequiredService<ModelVerbs>(), provider.GetRequiredService<MediaFiles>(), provider.GetRequiredService<PluginCatalog>(), "speech/encodec.8khz", "samples/encodec-8khz/recordings"))
        .AddSingleton<IDemoStep>(provider => new PictureDemo(provider.GetRequiredService<ModelVerbs>(), provider.GetRequiredService<MediaFiles>(), "image-tokenizers/titok.emoji", "samples/titok-emoji/pictures"))
        .AddSingleton<IDemoStep>(provider => new TrajectoryDemo(provider.GetRequiredService<ModelVerbs>(), "diffusion-transformers/dit.digits", ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]))
        .AddSingleton<IDemoStep>(provider => new MotionDemo(provider.GetRequiredService<ModelVerbs>(), "motion/mmm.synthetic", ["a man waves with the right hand", "a person walks in a circle", "a man squats", "a man walks forward | a man kicks with the left leg | a person bows"]))
        .AddSingleton<IDemoStep>(provider => new RecommendationDemo(provider.GetRequiredService<ModelVerbs>(), "recommenders/letter-tiger.instruments", "samples/letter-instruments/histories.inter.json"))
        .AddSingleton(new ParityLedger(Path.Combine(StateFolder, "parity.json")));

    /// <summary>The host's version.</summary>
    public static string Version { get; } = typeof(Zoo).Assembly.GetName().Version!.ToString(3);

    /// <summary>Where the host keeps what it can make again.</summary>
    public static string CacheFolder => Environment.GetEnvironmentVariable("MODELZOO_CACHE")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "modelzoo", "cache");

    /// <summary>Where the host remembers what it saw.</summary>
    public static string StateFolder => Environment.GetEnvironmentVariable("MODELZOO_STATE") ?? CacheFolder;

    /// <summary>What loads plugins: this host's own loader, or the one that it was built with.</summary>
    public static IPluginLoader Loader() =>
#if MCMASTER
        new McMasterPluginLoader();
#else
        new PluginLoader();
#endif

    /// <summary>The plugins in quarantine.</summary>
    public static PluginQuarantine Quarantine(TimeProvider clock) => new(Path.Combine(StateFolder, "quarantine"), clock);

    /// <summary>What says which plugins were at work when a process ended without a word.</summary>
    public static CrashMarks Marks(PluginQuarantine quarantine) => new(Path.Combine(StateFolder, "running"), quarantine);

    /// <summary>The manifest as its files say now, under what the command line says.</summary>
    /// <exception cref="ModelZooException">A file cannot be used.</exception>
    public static HostManifest ReadManifest(ZooOptions options)
    {
        var file = options.Manifest ?? ManifestReader.Locate(Environment.CurrentDirectory, AppContext.BaseDirectory);
        var files = new[] { file, options.Manifest is null && File.Exists(ManifestReader.UserFile) ? ManifestReader.UserFile : null };
        var manifest = ManifestReader.Read(files.OfType<string>());
        return manifest with { Plugins = [.. manifest.Plugins, .. options.Plugins.Select(path => new PluginEntry(Path.GetFullPath(path), "--plugin"))] };
    }

    private static BatchSettings Batching(IServiceProvider provider)
    {
        var meter = provider.GetRequiredService<ModelMeter>();
        return new() { Limit = provider.GetRequiredService<LiveManifest>().Queue.Batch, Observe = meter.Batched };
    }

    private static Lazy<InferenceRuntime> Engine(ILoggerFactory? loggers)
    {
        var log = loggers?.CreateLogger("engine");
        return new(() => new InferenceRuntime(new() { Log = log is null ? null : message => log.LogWarning("{Message}", message.Text) }));
    }
}
