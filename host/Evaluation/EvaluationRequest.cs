using System.Text.Json.Nodes;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Evaluation;

/// <summary>An evaluation as somebody asks for it.</summary>
/// <param name="Model">The model.</param>
/// <param name="Data">Folder or file of the data set.</param>
/// <param name="Metrics">Metrics by name; null for the model's own.</param>
/// <param name="Limit">Most examples to use; null for all.</param>
/// <param name="Seed">Seed of whatever is drawn.</param>
/// <param name="Options">Options of the model.</param>
internal sealed record EvaluationRequest(ModelRequest Model, string Data, IReadOnlyList<string>? Metrics, int? Limit, ulong Seed, JsonObject Options)
{
    /// <summary>Whose it is, how urgent, and by when it must have ended.</summary>
    public RequestTerms Terms { get; init; } = RequestTerms.None;
}
