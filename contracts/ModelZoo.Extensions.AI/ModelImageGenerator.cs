using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.AI;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;

namespace ModelZoo.Extensions.AI;

/// <summary>A model that generates pictures from words.</summary>
[Experimental("MEAI001")]
internal sealed class ModelImageGenerator(IModel model, IGenerate generator, string? modelId) : ModelClient(model, modelId, new ImageGeneratorMetadata("modelzoo", defaultModelId: modelId)), IImageGenerator
{
    private const string Png = "image/png";

    /// <summary>Pictures as PNG; several have the seeds that follow each other.</summary>
    public async Task<ImageGenerationResponse> GenerateAsync(ImageGenerationRequest request, ImageGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var call = new ModelCall(generator.GenerateOptions);
        ModelCall.Refuse(request.OriginalImages?.Any() ?? false, "original_images", "words alone");
        RequireModel(options?.ModelId);
        ModelCall.Refuse(options?.MediaType is not (null or Png), "media_type", Png);
        ModelCall.Refuse(options?.ResponseFormat is not (null or ImageGenerationResponseFormat.Data), "response_format", "data");
        var count = options?.Count ?? 1;
        ModelCall.Refuse(count < 1, "count", "1 or more");
        if (options?.ImageSize is { } size)
        {
            call.Set(size.Width, "width");
            call.Set(size.Height, "height");
        }

        call.SetAll(options?.AdditionalProperties);
        var (bound, prompt, contents) = (call.Bind(), new Prompt(request.Prompt ?? ""), new List<AIContent>());
        for (var i = 0; i < count; i++)
        {
            var picture = (await ModelCall.ResultAsync(generator, prompt, bound, call.Seed + (ulong)i, cancellationToken).ConfigureAwait(false)).Expect<Image>();
            using var bytes = new MemoryStream();
            PngWriter.Write(bytes, picture);
            contents.Add(new DataContent(bytes.ToArray(), Png));
        }

        return new(contents);
    }
}
