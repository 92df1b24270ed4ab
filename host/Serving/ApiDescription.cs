using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving;

/// <summary>What the OpenAPI document says beyond what the routes themselves say.</summary>
internal static class ApiDescription
{
    /// <summary>Marks a route whose body is that of a verb: JSON, a form with files, or bare media.</summary>
    public sealed record VerbBody;

    /// <summary>Marks a route whose requests may wait for a model.</summary>
    public sealed record Queued;

    public static void Configure(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info.Title = "ModelZoo";
            document.Info.Version = Hosting.Zoo.Version;
            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            var marks = context.Description.ActionDescriptor.EndpointMetadata;
            if (marks.OfType<VerbBody>().Any()) operation.RequestBody = Body();
            if (marks.OfType<Queued>().Any()) DescribeQueue(operation);
            return Task.CompletedTask;
        });
    }

    private static void DescribeQueue(OpenApiOperation operation)
    {
        (operation.Parameters ??= []).Add(new OpenApiParameter
        {
            Name = RequestTermsReader.TimeoutHeader, In = ParameterLocation.Header, Schema = new OpenApiSchema { Type = JsonSchemaType.Number },
            Description = "Seconds that the request has, fractions allowed. One that still waits then never runs, and one that runs is stopped within a step: 504.",
        });
        operation.Parameters.Add(new OpenApiParameter
        {
            Name = RequestTermsReader.PriorityHeader, In = ParameterLocation.Header, Schema = new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "0", Maximum = "9" },
            Description = "From 1 (served first) to 9; 0 and none are 5. Waiting lifts a request level by level, and clients (keys, or addresses where there are none) share a model evenly.",
        });
        operation.Responses ??= [];
        operation.Responses.TryAdd("429", new OpenApiResponse { Description = "Too many wait already; Retry-After says when to ask again." });
        operation.Responses.TryAdd("504", new OpenApiResponse { Description = "The request's own time passed." });
    }

    private static OpenApiRequestBody Body()
    {
        var file = new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" } };
        var content = new Dictionary<string, OpenApiMediaType>
        {
            ["application/json"] = new() { Schema = Fields(new OpenApiSchema { Description = "Text, a list of item ids, tokens, or {\"type\": media type, \"data\": base64}." }) },
            ["multipart/form-data"] = new() { Schema = Fields(new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" }) },
        };
        foreach (var type in new[] { "audio/wav", "image/png", "text/plain", MediaTypes.Safetensors }) content.Add(type, file);
        return new() { Content = content };
    }

    private static OpenApiSchema Fields(OpenApiSchema input) => new()
    {
        Type = JsonSchemaType.Object,
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["input"] = input,
            ["prompt"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "Words, or the name or number of a class." },
            ["seed"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Description = "The same seed gives the same result." },
            ["options"] = new OpenApiSchema { Type = JsonSchemaType.Object, Description = "Options of the model; GET /v1/models/{family}/{name} gives their schema." },
        },
    };
}
