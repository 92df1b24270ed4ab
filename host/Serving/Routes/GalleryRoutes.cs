using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.FileProviders;
using ModelZoo.Contracts;
using ModelZoo.Host.Media.Motions;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving.Routes;

/// <summary>The page at <c>/</c>: plain modules out of <c>host/web</c>, which need no key themselves; what they ask of the API does.</summary>
internal static class GalleryRoutes
{
    // Nothing is loaded from elsewhere, and no script but these files runs.
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; media-src blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var files = new ManifestEmbeddedFileProvider(typeof(GalleryRoutes).Assembly, "web");
        var types = new FileExtensionContentTypeProvider();
        foreach (var file in files.GetDirectoryContents("/"))
        {
            var type = types.TryGetContentType(file.Name, out var known) ? known : throw new InvalidOperationException($"host/web/{file.Name} is of no known type.");
            Open(routes, $"/{file.Name}", type, file.CreateReadStream);
            if (file.Name == "index.html") Open(routes, "/", type, file.CreateReadStream);
        }

        Open(routes, "/motion.js", "text/javascript", static () => Text(MotionViewer.Script["<script>".Length..^"</script>".Length]));
        Open(routes, "/motion.css", "text/css", static () => Text(MotionViewer.Style));
        routes.MapPost("/v1/figure", async (HttpContext context, ServerSettings settings) =>
        {
            var request = await VerbRequest.ReadAsync(context.Request, settings, context.RequestAborted);
            return TypedResults.Text(MotionViewer.Figure(request.Input.Expect<Motion>(), "The result"), "text/html; charset=utf-8");
        }).WithSummary("A motion as a figure that /motion.js plays.");
    }

    private static void Open(IEndpointRouteBuilder routes, string path, string type, Func<Stream> open) => routes.MapGet(path, (HttpContext context) =>
    {
        context.Response.Headers.ContentSecurityPolicy = Policy;
        context.Response.Headers.CacheControl = "no-cache";
        return TypedResults.Stream(open(), type.StartsWith("text/", StringComparison.Ordinal) ? type + "; charset=utf-8" : type);
    }).WithMetadata(new Doorkeeper.Open()).ExcludeFromDescription();

    private static MemoryStream Text(string text) => new(System.Text.Encoding.UTF8.GetBytes(text));
}
