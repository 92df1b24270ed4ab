using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace ModelZoo.Host.Serving;

/// <summary>What the OpenAPI document says beyond what the routes themselves say.</summary>
internal static class ApiDescription
{
    /// <summary>Marks a route whose body is that of a verb: JSON, a form with files, or bare media.</summary>
    public sealed record VerbBody;

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
            if (context.Description.ActionDescriptor.EndpointMetadata.OfType<VerbBody>().Any()) operation.RequestBody = Body();
            return Task.CompletedTask;
        });
    }

    private static OpenApiRequestBody Body()
    {
        var file = new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" } };
        var content = new Dictionary<string, OpenApiMediaType>
        {
            ["application/json"] = new() { Schema = Fields(new OpenApiSchema { Description = "Text, a list of item ids, tokens, or {\"type\": media type, \"data\": base64}." }) },
            ["multipart/form-data"] = new() { Schema = Fields(new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" }) },
        };
        foreach (var type in new[] { "audio/wav", "image/png", "text/plain", Http.MediaTypes.Safetensors }) content.Add(type, file);
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
