using ModelZoo.Contracts;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving;

/// <summary>
/// Lets requests in. Without keys the server is for programs of this machine: a request that a web page of another site made (by its Origin, or by a host name that was bound to the loopback address) is refused. With
/// keys, every request needs one, and administration its own; what a probe asks needs none.
/// </summary>
internal sealed class Doorkeeper(RequestDelegate next, ServerSettings settings, KeyRing keys)
{
    /// <summary>Marks what only administrators may do.</summary>
    public sealed record Administration;

    /// <summary>Marks what needs no key.</summary>
    public sealed record Open;

    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Request;
        if (settings.IsLoopback && !IsThisMachine(request.Host.Host)) return Refuse(context, 403, "access.host", $"'{request.Host.Host}' is not a name of this server.", "Ask for 127.0.0.1 or localhost.");
        if (request.Headers.Origin is [{ } origin] && !IsOwn(origin, request)) return Refuse(context, 403, "access.origin", "Pages of other sites may not use this server.", null);

        var endpoint = context.GetEndpoint()?.Metadata;
        if (endpoint?.GetMetadata<Open>() is not null) return next(context);
        var key = Key(request);
        if (endpoint?.GetMetadata<Administration>() is not null)
            return keys.Current.OpensAdministration(key) ? next(context) : Refuse(context, key is null ? 401 : 403, "access.administration", "This needs an administrator's key.", "Send it as `Authorization: Bearer KEY`.");
        return keys.Current.OpensVerbs(key) ? next(context) : Refuse(context, 401, "access.key", "This needs a key.", "Send it as `Authorization: Bearer KEY`.");
    }

    /// <summary>The key that a request brings; null for none.</summary>
    public static string? Key(HttpRequest request) => request.Headers.Authorization is [{ } value] && value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? value["Bearer ".Length..].Trim() : null;

    private static bool IsThisMachine(string host) => host is "localhost" or "127.0.0.1" or "[::1]" or "::1";

    private static bool IsOwn(string origin, HttpRequest request) => Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase);

    private static Task Refuse(HttpContext context, int status, string code, string what, string? remedy)
    {
        if (status == 401) context.Response.Headers.WWWAuthenticate = "Bearer";
        return Problems.WriteAsync(context, status, new ModelZooException(code, what) { Remedy = remedy });
    }
}
