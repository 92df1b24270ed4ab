using System.CommandLine;
using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using ModelZoo.Contracts;
using ModelZoo.Host.Serving;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo serve</c>.</summary>
internal static class ServeCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var defaults = new ServerSettings();
        var address = new Option<string>("--address") { Description = $"Address to listen on. Any other than the loopback needs keys in {KeySource.UserVariable} and {KeySource.AdministratorVariable}, or in the files that {KeySource.UserVariable}{KeySource.FileSuffix} and {KeySource.AdministratorVariable}{KeySource.FileSuffix} name.", HelpName = "IP", DefaultValueFactory = _ => "127.0.0.1" };
        var port = new Option<int>("--port") { Description = "Port; 0 takes a free one.", HelpName = "N", DefaultValueFactory = _ => defaults.Port };
        var grpc = new Option<int?>("--grpc-port") { Description = "Port of the Open Inference Protocol over gRPC; without it there is none.", HelpName = "N" };
        var data = new Option<string?>("--data") { Description = "Folder that data sets of evaluations lie in; without it the current one.", HelpName = "DIR" };
        var body = new Option<int>("--body-limit") { Description = "Largest body of a request, in MB.", HelpName = "N", DefaultValueFactory = _ => (int)(defaults.BodyLimit >> 20) };
        var otlp = new Option<string?>("--otlp") { Description = "OpenTelemetry collector that metrics and traces go to; without it OTEL_EXPORTER_OTLP_ENDPOINT, and without that none.", HelpName = "URL" };
        var command = new ZooCommand("serve", "Serves the models over HTTP, with a page to look at.",
            "modelzoo serve", "modelzoo serve --port 9000 --data samples", $"{KeySource.UserVariable}=secret {KeySource.AdministratorVariable}=other modelzoo serve --address 0.0.0.0",
            "modelzoo serve --otlp http://127.0.0.1:4318",
            "curl -s http://127.0.0.1:8080/v1/models/diffusion-transformers/dit.digits/generate -H 'Request-Timeout: 30' -H 'Request-Priority: 1' -F prompt=7 -o seven.png",
            "curl -s -X POST http://127.0.0.1:8080/v1/admin/reload     (or kill -HUP; a changed manifest is read again by itself)",
            "curl -s http://127.0.0.1:8080/v1/models/speech/encodec.8khz/tokenize -H 'Content-Type: audio/wav' --data-binary @hello.wav") { address, port, grpc, data, body, otlp };
        return command.RunsBare(terminal, async (parsed, cancel) =>
        {
            if (!IPAddress.TryParse(parsed.GetRequiredValue(address), out var ip)) throw new OptionsException(ErrorCodes.OptionType, "That is not an address.") { Where = "--address", Expected = "an IP address such as 127.0.0.1 or 0.0.0.0", Found = parsed.GetValue(address) };
            if (parsed.GetValue(port) is < 0 or > 65535) throw new OptionsException(ErrorCodes.OptionRange, "That is not a port.") { Where = "--port", Expected = "0..65535" };
            if (parsed.GetValue(body) < 1) throw new OptionsException(ErrorCodes.OptionRange, "A body needs room.") { Where = "--body-limit", Expected = "1 or more" };
            var keys = KeySource.FromEnvironment();
            var settings = defaults with
            {
                Address = ip, Port = parsed.GetValue(port), GrpcPort = parsed.GetValue(grpc), Keys = keys.Read(), KeySource = keys, Otlp = parsed.GetValue(otlp), DataFolder = Path.GetFullPath(parsed.GetValue(data) ?? Environment.CurrentDirectory), BodyLimit = (long)parsed.GetValue(body) << 20,
            };
            var app = await StartAsync(parsed, settings, cancel).ConfigureAwait(false);
            await using var _ = app.ConfigureAwait(false);
            foreach (var url in app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses) terminal.Writer.WriteLine($"listening on {url}");
            try
            {
                await Task.Delay(Timeout.Infinite, cancel).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                terminal.Error.WriteLine($"stopping: requests that run have {settings.DrainTime.TotalSeconds:0} s to end");
            }

            await app.StopAsync(CancellationToken.None).ConfigureAwait(false);
            return ExitCodes.Ok;
        });
    }

    private static async Task<WebApplication> StartAsync(ParseResult parsed, ServerSettings settings, CancellationToken cancel)
    {
        try
        {
            return await Server.StartAsync(CommandLine.HostOptions(parsed), settings, null, cancel).ConfigureAwait(false);
        }
        catch (IOException error)
        {
            throw new ModelZooException(ErrorCodes.DeviceUnavailable, $"The server cannot listen: {error.Message}", error) { Where = $"{settings.Address}:{settings.Port}", Remedy = "Another program may use the port; give another one with --port." };
        }
    }
}
