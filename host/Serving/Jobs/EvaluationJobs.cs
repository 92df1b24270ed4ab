using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Evaluation;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Terminal;

namespace ModelZoo.Host.Serving;

/// <summary>
/// Evaluations that run while nobody waits. Each is a file in the job folder from the moment it is accepted, replaced whole at each change of state: a server that starts keeps the results that it finds, and begins the jobs again
/// that its predecessor did not end.
/// </summary>
internal sealed class EvaluationJobs(Evaluator evaluator, ServerSettings settings, DataFolder folder, TimeProvider clock, IHostApplicationLifetime lifetime, ILogger<EvaluationJobs> log) : IHostedService
{
    /// <summary>Jobs that may wait or run at a time.</summary>
    public const int Limit = 64;

    private readonly ConcurrentDictionary<string, EvaluationJob> _running = new();

    /// <summary>Accepts an evaluation.</summary>
    /// <exception cref="ModelZooException">Too many run, the data set is outside the data folder, or the disk is full.</exception>
    public async Task<EvaluationJob> SubmitAsync(EvaluationRequest request, CancellationToken cancel)
    {
        var data = folder.Confine(request.Data);
        if (_running.Count >= Limit) throw new ModelZooException("queue.full", $"{Limit} evaluations wait already.") { Remedy = "Ask again later." };
        var now = clock.GetUtcNow();
        var job = new EvaluationJob($"{now:yyyyMMddTHHmmss}-{Guid.NewGuid():N}"[..24], request, now, attempt: 1, lifetime.ApplicationStopping);
        await BeginAsync(job, data, cancel).ConfigureAwait(false);
        return job;
    }

    /// <summary>A job that runs, or null.</summary>
    public EvaluationJob? Running(string id) => _running.GetValueOrDefault(id);

    /// <summary>A job as it stands, running or ended.</summary>
    /// <exception cref="ModelZooException">There is none of that name.</exception>
    public async Task<JsonObject> ShowAsync(string id, CancellationToken cancel)
    {
        if (Running(id) is { } job)
        {
            if (job.State != JobState.Running) await EndAsync(job).ConfigureAwait(false); // there may be room on the disk by now
            return job.ToJson();
        }

        try
        {
            if (IsName(id) && File.Exists(FileOf(id))) return JsonNode.Parse(await File.ReadAllBytesAsync(FileOf(id), cancel).ConfigureAwait(false))!.AsObject();
        }
        catch (JsonException error)
        {
            log.LogError(error, "The file of job {Job} cannot be read", id);
        }

        throw new ModelZooException("job.unknown", $"There is no job '{id}'.");
    }

    /// <summary>Every job, the newest first, without results.</summary>
    public async Task<IReadOnlyList<JsonObject>> ListAsync(CancellationToken cancel)
    {
        var all = new List<JsonObject>();
        if (!Directory.Exists(settings.JobFolder)) return all;
        foreach (var id in Directory.EnumerateFiles(settings.JobFolder, "*.json").Select(file => Path.GetFileNameWithoutExtension(file)!).OrderDescending(StringComparer.Ordinal).Take(200))
        {
            var job = await ShowAsync(id, cancel).ConfigureAwait(false);
            job.Remove("result");
            all.Add(job);
        }

        return all;
    }

    /// <summary>Begins again what a server that ended left behind, or says that it was interrupted.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(settings.JobFolder)) return;
        foreach (var file in Directory.EnumerateFiles(settings.JobFolder, "*.json"))
        {
            try
            {
                var json = JsonNode.Parse(await File.ReadAllBytesAsync(file, cancellationToken).ConfigureAwait(false))!.AsObject();
                if ((string?)json["state"] != "running") continue;
                if (await TryBeginAgainAsync(json, cancellationToken).ConfigureAwait(false)) continue;
                json["state"] = "interrupted";
                await OutputFile.WriteAsync(file, json.ToJsonString(), cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException or InvalidOperationException or FormatException or ModelZooException)
            {
                log.LogError(error, "{File} is no record of a job", file);
            }
        }
    }

    /// <summary>Lets jobs write how they ended.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var job in _running.Values) job.Cancel();
        await Task.WhenAll(_running.Values.Select(job => job.Work)).WaitAsync(cancellationToken).ConfigureAwait(false);
        foreach (var job in _running.Values) await EndAsync(job).ConfigureAwait(false); // what found no room on the disk
    }

    private async Task<bool> TryBeginAgainAsync(JsonObject json, CancellationToken cancel)
    {
        if (EvaluationJob.Again(json, clock, lifetime.ApplicationStopping) is not { } job) return false;
        try
        {
            await BeginAsync(job, folder.Confine(job.Request.Data), cancel).ConfigureAwait(false);
            log.LogWarning("Job {Job} ran when the server ended, and begins again", job.Id);
            return true;
        }
        catch (ModelZooException error)
        {
            log.LogError("Job {Job} ran when the server ended, and cannot begin again: {Reason}", job.Id, error.Message);
            return false;
        }
    }

    private async Task BeginAsync(EvaluationJob job, string data, CancellationToken cancel)
    {
        await SaveAsync(job, cancel).ConfigureAwait(false);
        _running[job.Id] = job;
        job.Work = Task.Run(() => RunAsync(job, data), CancellationToken.None);
    }

    private async Task RunAsync(EvaluationJob job, string data)
    {
        try
        {
            var request = job.Request;
            var report = await evaluator.For(request.Terms with { Data = folder }).EvaluateAsync(request with { Data = data }, job.Progress, job.Token).ConfigureAwait(false);
            var result = report.ToJson();
            // As the user named it, not where it lies.
            result["data"]!["path"] = request.Data;
            result["run"]!["evaluation"]!["data"] = request.Data;
            job.Succeed(result);
        }
        catch (OperationCanceledException)
        {
            job.Stop(lifetime.ApplicationStopping.IsCancellationRequested ? JobState.Interrupted : JobState.Cancelled);
        }
        catch (ModelZooException error)
        {
            job.Fail(error);
        }
#pragma warning disable CA1031 // whatever a job dies of, the server lives and the job says so
        catch (Exception error)
        {
            log.LogError(error, "Job {Job} failed", job.Id);
            job.Fail(new("server.failed", "The server failed; its log says why."));
        }
#pragma warning restore CA1031
        await EndAsync(job).ConfigureAwait(false);
    }

    // A job leaves memory when its file says how it ended; if the disk is full it stays, so that nothing is lost while the server lives.
    private async Task EndAsync(EvaluationJob job)
    {
        try
        {
            await SaveAsync(job, CancellationToken.None).ConfigureAwait(false);
            _running.TryRemove(job.Id, out _);
        }
        catch (ModelZooException error)
        {
            log.LogError("The result of job {Job} is kept in memory only: {Reason}", job.Id, error.Message);
        }
    }

    private Task SaveAsync(EvaluationJob job, CancellationToken cancel) => OutputFile.WriteAsync(FileOf(job.Id), job.ToJson().ToJsonString(), cancel);

    private string FileOf(string id) => Path.Combine(settings.JobFolder, id + ".json");

    private static bool IsName(string id) => id.Length is > 0 and < 64 && id.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');
}
