using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Serving.OpenAi;

namespace ModelZoo.Host.Serving.Http;

/// <summary>An error as the client of a route expects it: <c>{"error": text}</c> of the Open Inference Protocol, OpenAI's four fields, or a problem document for the host's own routes.</summary>
internal static class ErrorForms
{
    private static readonly PathString OpenInference = "/v2";

    private static readonly PathString[] OpenAi = ["/v1/chat", "/v1/completions", "/v1/images", "/v1/audio", "/v1/embeddings"];

    /// <summary>Status, body and media type of an error at a path.</summary>
    public static (int Status, JsonObject Body, string MediaType) Of(PathString path, int status, ModelZooException error)
    {
        // The protocols know fewer: whatever is wrong with what was sent is 400.
        if (path.StartsWithSegments(OpenInference)) return (status is 406 or 409 or 415 or 422 or 507 ? 400 : status, new() { ["error"] = error.Message }, MediaTypes.Json);
        if (!OpenAi.Any(route => path.StartsWithSegments(route))) return (status, Problems.Document(status, error), "application/problem+json");
        status = status == 422 ? 400 : status;
        return (status, OpenAiRoutes.Error(error, status), MediaTypes.Json);
    }
}
