using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving;

/// <summary>States of a job.</summary>
internal enum JobState
{
    /// <summary>It waits or runs.</summary>
    Running,
    /// <summary>It ended with a result.</summary>
    Done,
    /// <summary>It ended with an error.</summary>
    Failed,
    /// <summary>Somebody stopped it.</summary>
    Cancelled,
    /// <summary>The server ended while it ran.</summary>
    Interrupted,
}

/// <summary>An evaluation as a user submits it.</summary>
/// <param name="Model">The model.</param>
/// <param name="Data">The data set, a path within the server's data folder.</param>
/// <param name="Metrics">Metrics by name; null for the model's own.</param>
/// <param name="Limit">Most examples to use.</param>
/// <param name="Seed">Seed of whatever is drawn.</param>
/// <param name="Options">Options of the model.</param>
internal sealed record EvaluationRequest(ModelId Model, string Data, IReadOnlyList<string>? Metrics, int? Limit, ulong Seed, JsonObject Options);

/// <summary>An evaluation that was submitted: what it does, how far it is, and what came out.</summary>
internal sealed class EvaluationJob(string id, EvaluationRequest request, DateTimeOffset submitted, CancellationToken stopping)
{
    // Never disposed: it holds no timer, and somebody may cancel a job just as it ends.
    private readonly CancellationTokenSource _cancel = CancellationTokenSource.CreateLinkedTokenSource(stopping);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Id { get; } = id;

    public EvaluationRequest Request { get; } = request;

    public CancellationToken Token => _cancel.Token;

    /// <summary>Ends when the job has ended and its file says how.</summary>
    public Task Work { get; set; } = Task.CompletedTask;

    public JobState State { get; private set; } = JobState.Running;

    public int Done { get; private set; }

    public int? Total { get; private set; }

    private JsonObject? Result { get; set; }

    private JsonObject? Error { get; set; }

    /// <summary>Ends when something changes after this call.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    /// <summary>Stops the job within one example.</summary>
    public void Cancel() => _cancel.Cancel();

    public void Progress(int done, int? total)
    {
        (Done, Total) = (done, total);
        Announce();
    }

    public void Succeed(JsonObject result)
    {
        (Result, State) = (result, JobState.Done);
        Announce();
    }

    public void Fail(ModelZooException error)
    {
        (Error, State) = (Problems.Document(Problems.Status(error), error), JobState.Failed);
        Announce();
    }

    public void Stop(JobState state)
    {
        State = state;
        Announce();
    }

    public JsonObject ToJson() => new()
    {
        ["id"] = Id,
        ["object"] = "evaluation",
        ["model"] = Request.Model.ToString(),
        ["data"] = Request.Data,
        ["submitted"] = submitted,
        ["state"] = State.ToString().ToLowerInvariant(),
        ["done"] = Done,
        ["total"] = Total,
        ["result"] = Result?.DeepClone(),
        ["error"] = Error?.DeepClone(),
    };

    private void Announce() => Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
}
