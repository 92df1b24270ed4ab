using System.Text.Json.Nodes;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Parity;

/// <summary>How a case ended.</summary>
public enum ParityStatus
{
    /// <summary>Every output was compared and agrees.</summary>
    Pass,
    /// <summary>An output differs, or was not there to compare.</summary>
    Fail,
    /// <summary>No loaded plugin has the architecture, the option or the call.</summary>
    Unsupported,
    /// <summary>The run ended with an exception.</summary>
    Error,
}

/// <summary>What came of a case.</summary>
/// <param name="Case"><c>family/architecture/case</c>.</param>
/// <param name="Model"><c>family/architecture</c>.</param>
/// <param name="Status">The verdict.</param>
/// <param name="Outputs">Every comparison, in order of computation.</param>
/// <param name="Message">Why it did not pass; null when it did.</param>
public sealed record ParityReport(string Case, string Model, ParityStatus Status, IReadOnlyList<ParityOutput> Outputs, string? Message)
{
    /// <summary>The precision of the model's weights. Those of fewer bits are held to what <see cref="WeightPrecisions.Tolerance"/> says, where the case says less.</summary>
    public WeightPrecision Precision { get; init; }

    /// <summary>The output that comes nearest to its tolerance, or exceeds it most.</summary>
    public ParityOutput? Worst => Outputs.MaxBy(output => output.Badness);

    /// <summary>One line of <c>modelzoo verify --json</c>.</summary>
    public JsonObject ToJson()
    {
        var json = Line();
        if (Precision != WeightPrecision.Float32) (json["precision"], json["precision_tolerance"]) = (Precision.Name(), Precision.Tolerance());
        return json;
    }

    private JsonObject Line() => new()
    {
        ["case"] = Case,
        ["model"] = Model,
        ["status"] = Status.ToString().ToLowerInvariant(),
        ["outputs"] = new JsonArray([.. Outputs.Select(JsonNode (output) => new JsonObject
        {
            ["name"] = output.Name, ["difference"] = double.IsFinite(output.Difference) ? output.Difference : null, ["tolerance"] = output.Tolerance, ["exact"] = output.Exact,
        })]),
        ["message"] = Message,
    };
}

/// <summary>An output beside what was expected.</summary>
/// <param name="Name">The expected tensor, or file and key of lines.</param>
/// <param name="Difference"><c>max|a-b| / (1e-6 + max|b|)</c>; for lines that must be equal, how many are not. NaN when the two cannot be compared.</param>
/// <param name="Tolerance">Largest difference that passes.</param>
/// <param name="Exact">True when it must be equal.</param>
/// <param name="Problem">What is wrong with it; null when it passes.</param>
public sealed record ParityOutput(string Name, double Difference, double Tolerance, bool Exact, string? Problem)
{
    /// <summary>True when it agrees.</summary>
    public bool Passes => Problem is null;

    // Orders outputs by how near they come to failing; what fails or cannot be compared comes last.
    internal double Badness => (Passes ? 0 : 1e9) + (double.IsNaN(Difference) ? 1e9 : Math.Min(Difference / Math.Max(Tolerance, 1e-12), 1e9));
}
