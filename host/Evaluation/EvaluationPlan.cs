using ModelZoo.Host.Replay;

namespace ModelZoo.Host.Evaluation;

/// <summary>All that is settled before the first example is read. Parts of one evaluation have equal plans.</summary>
/// <param name="Data">The data set, as it was asked for.</param>
/// <param name="Layout">Its layout.</param>
/// <param name="BatchSize">Neighbouring examples that are observed together.</param>
/// <param name="Metrics">The metrics by name, the model's own where none were asked for.</param>
/// <param name="Run">The run without what comes out.</param>
internal sealed record EvaluationPlan(string Data, string Layout, int BatchSize, IReadOnlyList<string> Metrics, RunRecord Run);
