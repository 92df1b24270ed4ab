using ModelZoo.Contracts;

namespace ModelZoo.Extensions.AI;

/// <summary>What every client is: a view of a model that belongs to whoever opened it.</summary>
/// <param name="model">The model.</param>
/// <param name="modelId">Its name; null when it has none.</param>
/// <param name="metadata">What the client tells of itself.</param>
internal abstract class ModelClient(IModel model, string? modelId, object metadata) : IDisposable
{
    protected IModel Model { get; } = model;

    protected string? ModelId { get; } = modelId;

    /// <summary>The client itself, its metadata, or the model; null for anything else.</summary>
    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is null ? new[] { this, metadata, Model }.FirstOrDefault(serviceType.IsInstanceOfType) : null;

    /// <summary>Does nothing: the model stays open.</summary>
    public void Dispose()
    {
    }

    /// <summary>Refuses a request that names another model.</summary>
    /// <exception cref="OptionsException">It does.</exception>
    protected void RequireModel(string? asked) => ModelCall.Refuse(asked is not null && ModelId is not null && asked != ModelId, "model", ModelId ?? "");
}
