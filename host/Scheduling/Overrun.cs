namespace ModelZoo.Host.Scheduling;

/// <summary>Acts once when something goes on for some time after it was cancelled; disposed when it has ended.</summary>
internal sealed class Overrun : IDisposable
{
    private readonly TimeSpan _patience;
    private readonly TimeProvider _clock;
    private readonly Action _act;
    private readonly Lock _lock = new();
    private readonly CancellationTokenRegistration _registration;
    private ITimer? _timer;
    private bool _ended;

    public Overrun(TimeSpan patience, TimeProvider clock, Action act, CancellationToken cancel)
    {
        (_patience, _clock, _act) = (patience, clock, act);
        _registration = cancel.UnsafeRegister(static watch => ((Overrun)watch!).Cancelled(), this);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _ended = true;
            _timer?.Dispose();
        }

        _registration.Unregister();
    }

    private void Cancelled()
    {
        lock (_lock)
        {
            if (!_ended) _timer = _clock.CreateTimer(static watch => ((Overrun)watch!).Passed(), this, _patience, Timeout.InfiniteTimeSpan);
        }
    }

    private void Passed()
    {
        lock (_lock)
        {
            if (_ended) return;
            _ended = true;
        }

        _act();
    }
}
