using System.Diagnostics;

namespace ModelZoo.Host.Serving.Http;

/// <summary>Gives each request an id, which its answer and every line of the log about it carry, and has one line written when it ends.</summary>
internal sealed class RequestLog(RequestDelegate next, ILogger<RequestLog> log, RequestLogWriter lines)
{
    /// <summary>Header with the id: the client's own, or a new one.</summary>
    public const string Header = "X-Request-Id";

    public async Task InvokeAsync(HttpContext context)
    {
        var id = context.Request.Headers[Header] is [{ Length: > 0 and <= 128 } given] && given.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') ? given : Guid.NewGuid().ToString("N");
        context.TraceIdentifier = id;
        context.Response.Headers[Header] = id;
        context.Response.OnStarting(static state =>
        {
            var response = (HttpContext)state;
            response.Response.Headers[Header] = response.TraceIdentifier; // an error clears the headers before it is written
            response.Response.Headers.XContentTypeOptions = "nosniff";
            return Task.CompletedTask;
        }, context);
        using var scope = log.BeginScope("{RequestId}", id);
        var started = Stopwatch.GetTimestamp();
        try
        {
            await next(context).ConfigureAwait(false);
        }
        finally
        {
            Describe(context, id);
            lines.Write(new(id, context.Request.Method, context.Request.Path.Value, context.Response.StatusCode, Stopwatch.GetElapsedTime(started)));
        }
    }

    // The span that ASP.NET began for the request, if somebody listens.
    private static void Describe(HttpContext context, string id)
    {
        if (Activity.Current is not { IsAllDataRequested: true } span) return;
        var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText;
        span.DisplayName = route is null ? context.Request.Method : $"{context.Request.Method} {route}";
        span.SetTag("http.request.method", context.Request.Method).SetTag("http.route", route).SetTag("url.path", context.Request.Path.Value).SetTag("http.response.status_code", context.Response.StatusCode).SetTag("modelzoo.request_id", id);
    }
}
