using ModelZoo.Contracts;
using ModelZoo.Host.Scheduling;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace ModelZoo.Host.Serving;

/// <summary>
/// Sends the host's instruments and spans to a collector by OTLP when an endpoint is given: by <c>--otlp</c>, or by the variables that every OpenTelemetry program reads (<c>OTEL_EXPORTER_OTLP_ENDPOINT</c>, <c>_PROTOCOL</c>,
/// <c>_HEADERS</c>, <c>OTEL_METRIC_EXPORT_INTERVAL</c>, <c>OTEL_SERVICE_NAME</c>...). Without one nobody listens to either, and a span costs a null check.
/// </summary>
internal sealed class Telemetry(ServerSettings settings, ILogger<Telemetry> log) : IHostedService, IDisposable
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private MeterProvider? _metrics;
    private TracerProvider? _traces;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var configuration = Configuration();
        if (new[] { Endpoint, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" }.All(name => string.IsNullOrEmpty(configuration[name]))) return Task.CompletedTask;
        if (configuration[Endpoint] is { } url && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
            throw new OptionsException(ErrorCodes.OptionType, "That is no collector's address.") { Where = settings.Otlp is null ? Endpoint : "--otlp", Expected = "such as http://127.0.0.1:4318", Found = url };

        _metrics = Sdk.CreateMeterProviderBuilder().ConfigureServices(services => services.AddSingleton<IConfiguration>(configuration)).SetResourceBuilder(Resource()).AddMeter(ModelMeter.Name).AddOtlpExporter().Build();
        _traces = Sdk.CreateTracerProviderBuilder().ConfigureServices(services => services.AddSingleton<IConfiguration>(configuration)).SetResourceBuilder(Resource())
            .AddSource(ModelMeter.Name, "Microsoft.AspNetCore").AddOtlpExporter().Build();
        log.LogInformation("Metrics and traces go to {Endpoint} by OTLP ({Protocol})", configuration[Endpoint], configuration["OTEL_EXPORTER_OTLP_PROTOCOL"]);
        return Task.CompletedTask;
    }

    /// <summary>Sends what is left; by now the server has drained.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => Task.Run(Dispose, CancellationToken.None);

    public void Dispose()
    {
        _traces?.Dispose();
        _metrics?.Dispose();
    }

    // The protocol that OpenTelemetry recommends, below what the environment says, below what the command line says.
    private IConfigurationRoot Configuration()
    {
        var builder = new ConfigurationBuilder().AddInMemoryCollection([new("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]).AddEnvironmentVariables();
        return (settings.Otlp is { } url ? builder.AddInMemoryCollection([new(Endpoint, url)]) : builder).Build();
    }

    private static ResourceBuilder Resource() => ResourceBuilder.CreateEmpty().AddService("modelzoo", serviceVersion: Hosting.Zoo.Version).AddTelemetrySdk().AddEnvironmentVariableDetector();
}
