using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>The engine's options of one run at a time, whose terminate flag a cancellation token sets. The engine looks at it between operators.</summary>
internal sealed unsafe class RunCancellation(OrtApi api) : EngineHandle(api, Create(api), null)
{
    public OrtRunOptions* Options => (OrtRunOptions*)handle;

    /// <summary>Sets the flag when <paramref name="cancel"/> is cancelled, until the registration is disposed.</summary>
    public CancellationTokenRegistration Watch(CancellationToken cancel) =>
        cancel.CanBeCanceled ? cancel.UnsafeRegister(static self => ((RunCancellation)self!).Terminate(), this) : default;

    /// <summary>Gives the result of a run: nothing, an exception that says that it was cancelled, or the engine's error. Clears the flag.</summary>
    public void Complete(OrtStatus* status, CancellationToken cancel, string where)
    {
        if (cancel.IsCancellationRequested) Api.Check(Api.RunOptionsUnsetTerminate(Options));
        if (status is null) return;
        var error = Api.Error(status, where);
        throw cancel.IsCancellationRequested ? new OperationCanceledException($"The run of {where} was cancelled.", error, cancel) : error;
    }

    protected override void Release() => Api.ReleaseRunOptions(Options);

    // The only failure there is would mean that there is no run to stop.
    private void Terminate() => Api.Ignore(Api.RunOptionsSetTerminate(Options));

    private static OrtRunOptions* Create(OrtApi api)
    {
        OrtRunOptions* options;
        api.Check(api.CreateRunOptions(&options));
        return options;
    }
}
