using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Serving.Http;
using ModelZoo.Host.Serving.OpenAi;
using ModelZoo.Host.Serving.OpenInference;
using ModelZoo.Host.Serving.Routes;

namespace ModelZoo.Host.Serving;

/// <summary>The HTTP server over a host.</summary>
internal static class Server
{
    /// <summary>A server that listens, with every plugin of the manifest loaded.</summary>
    /// <param name="zoo">The host.</param>
    /// <param name="settings">How it listens.</param>
    /// <param name="configure">Changes to the services, for tests.</param>
    /// <param name="cancel">Stops the start.</param>
    public static async Task<WebApplication> StartAsync(ZooOptions zoo, ServerSettings settings, Action<IServiceCollection>? configure, CancellationToken cancel)
    {
        var builder = WebApplication.CreateEmptyBuilder(new() { ApplicationName = "modelzoo" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Listen(kestrel, settings));
        builder.Logging.AddJsonConsole(console => console.UseUtcTimestamp = true).SetMinimumLevel(zoo.Verbose ? LogLevel.Debug : LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddRouting().AddOpenApi("v1", ApiDescription.Configure);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = settings.DrainTime);
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
        Zoo.AddZoo(builder.Services, zoo with { ShadowCopy = true });
        builder.Services.AddSingleton(settings).AddSingleton(new DataFolder(settings.DataFolder)).AddSingleton<KeyRing>().AddSingleton<ModelNames>().AddHostedService<Telemetry>().AddSingleton<Reloader>().AddHostedService(provider => provider.GetRequiredService<Reloader>()).AddSingleton<PrometheusText>().AddSingleton<Readiness>().AddSingleton<InferenceService>().AddSingleton<RequestLogWriter>().AddHostedService(provider => provider.GetRequiredService<RequestLogWriter>()).AddSingleton<EvaluationJobs>().AddHostedService(provider => provider.GetRequiredService<EvaluationJobs>());
        configure?.Invoke(builder.Services);

        var app = builder.Build();
        try
        {
            app.Services.GetRequiredService<PrometheusText>(); // counts from the beginning
            app.Services.GetRequiredService<KeyRing>(); // says what is missing before anything listens
            app.UseMiddleware<RequestLog>();
            app.UseMiddleware<Problems>();
            app.UseRouting();
            app.UseMiddleware<Doorkeeper>();
            app.UseMiddleware<RequestTermsReader>();
            Map(app);
            await app.Services.GetRequiredService<PluginCatalog>().LoadAsync(app.Services.GetRequiredService<HostManifest>().Plugins, cancel).ConfigureAwait(false);
            await app.StartAsync(cancel).ConfigureAwait(false);
            return app;
        }
        catch
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static void Map(WebApplication app)
    {
        ModelRoutes.Map(app);
        EvaluationRoutes.Map(app);
        OperationRoutes.Map(app);
        OpenInferenceRoutes.Map(app);
        GrpcRoutes.Map(app);
        OpenAiRoutes.Map(app);
        app.MapOpenApi("/openapi/{documentName}.json").WithMetadata(new Doorkeeper.Open());
        GalleryRoutes.Map(app);
    }

    private static void Listen(KestrelServerOptions kestrel, ServerSettings settings)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = settings.BodyLimit;
        kestrel.Limits.MaxConcurrentConnections = settings.ConnectionLimit;
        kestrel.Limits.RequestHeadersTimeout = settings.HeaderTime;
        kestrel.Limits.KeepAliveTimeout = settings.IdleTime;
        kestrel.Limits.MinRequestBodyDataRate = kestrel.Limits.MinResponseDataRate = settings.DataRate;
        kestrel.Listen(new IPEndPoint(settings.Address, settings.Port), listen => listen.Protocols = HttpProtocols.Http1);
        if (settings.GrpcPort is { } grpc) kestrel.Listen(new IPEndPoint(settings.Address, grpc), listen => listen.Protocols = HttpProtocols.Http2); // without TLS the two cannot share a port
    }
}
