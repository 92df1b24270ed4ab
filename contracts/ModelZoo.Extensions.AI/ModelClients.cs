using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.AI;
using ModelZoo.Contracts;

namespace ModelZoo.Extensions.AI;

/// <summary>
/// A model as the clients of Microsoft.Extensions.AI. A client is a view: it does not dispose the model, and any number of them may be used at once. What a client is asked for is mapped to the model's own options by name; what the model has
/// no option for is refused, never dropped. All errors are <see cref="ModelZooException"/>.
/// </summary>
public static class ModelClients
{
    /// <summary>The model as a chat client. Conversations are written out as text (<c>role: words</c>, a line each), a single message is the prompt as it stands.</summary>
    /// <param name="model">A model that generates text.</param>
    /// <param name="modelId">Its name, for the clients' metadata; null when it has none.</param>
    /// <exception cref="ModelZooException">The model does not generate text.</exception>
    public static IChatClient AsChatClient(this IModel model, string? modelId = null) => new ModelChatClient(model, Generator(model, Modality.Text), modelId);

    /// <summary>The model as a generator of vectors: a model that generates tensors, of which the one named <c>embedding</c> counts. Vectors are as the model gives them, not normalised.</summary>
    /// <param name="model">A model that generates tensors from text.</param>
    /// <param name="modelId">Its name, for the clients' metadata; null when it has none.</param>
    /// <exception cref="ModelZooException">The model does not generate tensors.</exception>
    public static IEmbeddingGenerator<string, Embedding<float>> AsEmbeddingGenerator(this IModel model, string? modelId = null) => new ModelEmbeddingGenerator(model, Generator(model, Modality.Tensors), modelId);

    /// <summary>The model as a generator of pictures, each a PNG.</summary>
    /// <param name="model">A model that generates images from words.</param>
    /// <param name="modelId">Its name, for the clients' metadata; null when it has none.</param>
    /// <exception cref="ModelZooException">The model does not generate images.</exception>
    [Experimental("MEAI001")]
    public static IImageGenerator AsImageGenerator(this IModel model, string? modelId = null) => new ModelImageGenerator(model, Generator(model, Modality.Image), modelId);

    private static IGenerate Generator(IModel model, Modality makes)
    {
        ArgumentNullException.ThrowIfNull(model);
        var generator = model.Get<IGenerate>();
        return generator.Makes == makes ? generator : throw new ModelZooException(ErrorCodes.VerbUnsupported, "The model does not fit this client.")
        { Expected = $"a model that makes {makes.ToString().ToLowerInvariant()}", Found = $"one that makes {generator.Makes.ToString().ToLowerInvariant()}" };
    }
}
