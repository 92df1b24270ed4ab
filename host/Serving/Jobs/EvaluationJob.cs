using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Evaluation;
using ModelZoo.Host.Scheduling;
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
    /// <summary>The server ended while it ran, and did not take it up again.</summary>
    Interrupted,
}

/// <summary>An evaluation that was submitted: what it does, how far it is, and what came out.</summary>
internal sealed class EvaluationJob(string id, EvaluationRequest request, DateTimeOffset submitted, int attempt, CancellationToken stopping)
{
    /// <summary>Times that a job is begun: one that ends the server may do so again.</summary>
    public const int Attempts = 2;

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
        ["model"] = Request.Model.Id.ToString(),
        ["data"] = Request.Data,
        ["metrics"] = Request.Metrics is { } metrics ? new JsonArray([.. metrics.Select(metric => (JsonNode)metric)]) : null,
        ["limit"] = Request.Limit,
        ["seed"] = Request.Seed,
        ["options"] = Request.Options.DeepClone(),
        ["priority"] = Request.Terms.Priority,
        ["timeout"] = Request.Terms.Deadline?.Timeout.TotalSeconds,
        ["submitted"] = submitted,
        ["attempt"] = attempt,
        ["state"] = State.ToString().ToLowerInvariant(),
        ["done"] = Done,
        ["total"] = Total,
        ["result"] = Result?.DeepClone(),
        ["error"] = Error?.DeepClone(),
    };

    /// <summary>The job of a file that did not end, to be begun again; null when it was begun often enough, or the file does not say what was asked for.</summary>
    public static EvaluationJob? Again(JsonObject json, TimeProvider clock, CancellationToken stopping)
    {
        if ((int?)json["attempt"] is not { } attempt || attempt >= Attempts || !ModelId.TryParse((string?)json["model"] ?? "", out var model) || (string?)json["data"] is not { } data || json["submitted"] is not { } written) return null;
        var submitted = (DateTimeOffset)written;
        Deadline? deadline = (double?)json["timeout"] is { } seconds ? Deadline.After(TimeSpan.FromSeconds(seconds), submitted, clock) : null;
        var request = new EvaluationRequest(new(model), data, json["metrics"]?.AsArray().Select(metric => (string)metric!).ToList(), (int?)json["limit"], (ulong?)json["seed"] ?? 0, json["options"]?.DeepClone().AsObject() ?? [])
        {
            Terms = RequestTerms.None with { Priority = Math.Clamp((int?)json["priority"] ?? RequestTerms.Usual, RequestTerms.First, RequestTerms.Last), Deadline = deadline },
        };
        return new((string)json["id"]!, request, submitted, attempt + 1, stopping);
    }

    private void Announce() => Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
}
