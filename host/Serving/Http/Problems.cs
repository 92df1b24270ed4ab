using System.Text.Json.Nodes;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Serving.Http;

/// <summary>Errors as problem documents (RFC 9457) that carry the contracts' codes, or as the protocol of the route has them. What is not an error of the contracts is logged, and says nothing of the server's insides.</summary>
internal sealed class Problems(RequestDelegate next, ILogger<Problems> log)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context).ConfigureAwait(false);
            if (!context.Response.HasStarted && context.Response is { StatusCode: >= 400, ContentLength: null, ContentType: null }) await WriteAsync(context, context.Response.StatusCode, Plain(context)).ConfigureAwait(false);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest; // nobody reads it; the log does
        }
        catch (Exception error) when (!context.Response.HasStarted)
        {
            var known = Known(error);
            if (known is null) log.LogError(error, "{Method} {Path} failed", context.Request.Method, context.Request.Path);
            known ??= new ModelZooException("server.failed", "The server failed; its log says why.");
            await WriteAsync(context, Status(known, error), known).ConfigureAwait(false);
        }
    }

    /// <summary>The status of an error.</summary>
    public static int Status(ModelZooException error, Exception? cause = null) => error.Code switch
    {
        "request.malformed" when cause is BadHttpRequestException bad => bad.StatusCode,
        "request.malformed" or "request.path" => 400,
        ErrorCodes.ModelUnknown or ErrorCodes.MetricUnknown or "job.unknown" => 404,
        "job.ended" => 409,
        "request.media-type" => 415,
        "queue.full" => 429,
        "request.deadline" => 504,
        "output.failed" => 507,
        ErrorCodes.OptionUnknown or ErrorCodes.OptionType or ErrorCodes.OptionRange or ErrorCodes.MediaMalformed or ErrorCodes.MediaUnsupported or ErrorCodes.TokensForeign or ErrorCodes.TokensInvalid
            or ErrorCodes.ManifestInvalid or ErrorCodes.VerbUnsupported or ErrorCodes.DatasetInvalid or ErrorCodes.TensorType or ErrorCodes.CheckpointMalformed => 422,
        "queue.deadline" or "model.over-budget" or "server.stopping" or ErrorCodes.EngineMissing or ErrorCodes.DeviceUnavailable or ErrorCodes.CheckpointMissing => 503,
        _ => 500,
    };

    /// <summary>The error as a problem document.</summary>
    public static JsonObject Document(int status, ModelZooException error)
    {
        var json = new JsonObject { ["type"] = "about:blank", ["title"] = Title(status), ["status"] = status, ["detail"] = error.Message, ["code"] = error.Code };
        if (error.Where is { } where) json["where"] = where;
        if (error.Expected is { } expected) json["expected"] = expected;
        if (error.Found is { } found) json["found"] = found;
        if (error.Remedy is { } remedy) json["remedy"] = remedy;
        return json;
    }

    /// <summary>Answers with an error in the form of the route's protocol.</summary>
    public static Task WriteAsync(HttpContext context, int status, ModelZooException error)
    {
        (status, var body, var type) = ErrorForms.Of(context.Request.Path, status, error);
        context.Response.Clear();
        context.Response.StatusCode = status;
        if (status is 429 or 503) context.Response.Headers.RetryAfter = "1";
        if (status == 401) context.Response.Headers.WWWAuthenticate = "Bearer";
        return context.Response.WriteAsJsonAsync(body, (System.Text.Json.JsonSerializerOptions?)null, type, context.RequestAborted);
    }

    /// <summary>What may be told of an error; null when nothing.</summary>
    public static ModelZooException? Known(Exception error) => error switch
    {
        ModelZooException known => known,
        BadHttpRequestException bad => new ModelZooException("request.malformed", bad.Message),
        _ => null,
    };

    private static ModelZooException Plain(HttpContext context) => context.Response.StatusCode switch
    {
        404 => new("request.path", $"There is nothing at {context.Request.Path}.") { Remedy = "GET /openapi/v1.json lists what there is." },
        405 => new("request.method", $"{context.Request.Path} does not take {context.Request.Method}."),
        var status => new("request.malformed", Title(status)),
    };

    private static string Title(int status) => Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status);
}
