using System.Diagnostics;
using Spectre.Console;

namespace ModelZoo.Host.Terminal;

/// <summary>One line of progress on standard error, redrawn in place; nothing when that is not a terminal.</summary>
internal sealed class ProgressLine(IAnsiConsole error, string what) : IDisposable
{
    private readonly bool _interactive = error.Profile.Capabilities.Ansi;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private long _last = long.MinValue;

    /// <summary>Shows how far it is; at most ten times a second.</summary>
    public void Report(int done, int? of, string detail = "")
    {
        if (!_interactive || _watch.ElapsedMilliseconds - _last < 100) return;
        _last = _watch.ElapsedMilliseconds;
        const int Width = 30;
        var filled = of is > 0 ? Math.Min(Width, Width * done / of.Value) : 0;
        var bar = of is > 0 ? $" [{new string('#', filled)}{new string('.', Width - filled)}]" : "";
        error.Write(new ControlCode("\r\u001b[K"));
        error.Write(new Text($"{what}{bar} {done}{(of is > 0 ? $"/{of}" : "")} {_watch.Elapsed.TotalSeconds:0.0} s {detail}".TrimEnd()));
    }

    /// <summary>Clears the line.</summary>
    public void Dispose()
    {
        if (_interactive) error.Write(new ControlCode("\r\u001b[K"));
    }
}
