using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Replay;

namespace ModelZoo.Host.Evaluation;

/// <summary>What an evaluation measured, on what, and with what. It holds no time of day: the same evaluation gives the same report, byte for byte.</summary>
/// <param name="Data">The data set: path, layout, examples used, SHA-256 of their names and contents.</param>
/// <param name="Groups">The settings that were measured, in order; one empty name when there is one.</param>
/// <param name="Metrics">The figures of each metric.</param>
/// <param name="Run">What is needed to do it again.</param>
internal sealed record EvaluationReport(EvaluatedData Data, IReadOnlyList<string> Groups, IReadOnlyList<MeasuredMetric> Metrics, RunRecord Run)
{
    /// <summary>The report for programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["format"] = "modelzoo.evaluation/1",
        ["model"] = Run.Model,
        ["data"] = new JsonObject { ["path"] = Data.Path, ["layout"] = Data.Layout, ["examples"] = Data.Examples, ["sha256"] = Data.Sha256 },
        ["seed"] = Run.Seed,
        ["metrics"] = new JsonArray([.. Metrics.Select(JsonNode (metric) => new JsonObject
        {
            ["name"] = metric.Metric.Name, ["unit"] = metric.Metric.Unit, ["higher_is_better"] = metric.Metric.HigherIsBetter, ["description"] = metric.Metric.Description, ["groups"] = Figures(metric),
        })]),
        ["run"] = Run.ToJson(),
    };

    /// <summary>The report as a file.</summary>
    public string ToText() => ToJson().ToJsonString(RunRecord.Json) + "\n";

    /// <summary>The figures alone, by metric and group.</summary>
    public JsonObject Figures() => new(Metrics.Select(metric => KeyValuePair.Create<string, JsonNode?>(metric.Metric.Name, Figures(metric))));

    private JsonObject Figures(MeasuredMetric metric) => new(Groups.Select(group => KeyValuePair.Create(group, Figure(metric.Values.GetValueOrDefault(group)))));

    private static JsonNode? Figure(MetricValue? value)
    {
        if (value is null) return null;
        var json = new JsonObject { ["value"] = Number(value.Value), ["n"] = value.Count, ["confidence_95"] = value.Confidence is { } half ? Number(half) : null, ["left_out"] = value.LeftOut };
        if (value.Parts.Count > 0) json["parts"] = new JsonObject(value.Parts.Select(part => KeyValuePair.Create(part.Key, Number(part.Value))));
        return json;
    }

    private static JsonNode? Number(double value) => double.IsFinite(value) ? JsonValue.Create(value) : JsonValue.Create(value.ToString(System.Globalization.CultureInfo.InvariantCulture));
}

/// <summary>The data of an evaluation.</summary>
internal sealed record EvaluatedData(string Path, string Layout, int Examples, string Sha256);

/// <summary>A metric's figures by group.</summary>
internal sealed record MeasuredMetric(IMetric Metric, IReadOnlyDictionary<string, MetricValue> Values);
