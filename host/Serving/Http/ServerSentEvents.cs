using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ModelZoo.Host.Serving.Http;

/// <summary>Writes server-sent events, each as soon as it is known.</summary>
internal sealed class ServerSentEvents(HttpResponse response)
{
    // The reader is no HTML page: base64 keeps its plus signs.
    private static readonly JsonSerializerOptions Json = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The media type that a client asks for.</summary>
    public const string MediaType = "text/event-stream";

    /// <summary>Begins the stream.</summary>
    public static async Task<ServerSentEvents> StartAsync(HttpContext context)
    {
        context.Response.ContentType = MediaType;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Accel-Buffering"] = "no"; // proxies that would wait for the end
        await context.Response.StartAsync(context.RequestAborted).ConfigureAwait(false);
        return new(context.Response);
    }

    /// <summary>True when the client wants events rather than one answer.</summary>
    public static bool Wanted(HttpRequest request) => request.Headers.Accept.Any(value => value?.Contains(MediaType, StringComparison.OrdinalIgnoreCase) == true);

    /// <summary>Writes an event; without a name it is a message.</summary>
    public Task WriteAsync(string? name, JsonNode data, CancellationToken cancel) => WriteAsync(name, data.ToJsonString(Json), cancel);

    /// <summary>Writes an event whose data is one line of text.</summary>
    public async Task WriteAsync(string? name, string data, CancellationToken cancel)
    {
        await response.Body.WriteAsync(Encoding.UTF8.GetBytes($"{(name is null ? "" : $"event: {name}\n")}data: {data}\n\n"), cancel).ConfigureAwait(false);
        await response.Body.FlushAsync(cancel).ConfigureAwait(false);
    }
}
