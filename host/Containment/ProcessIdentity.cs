using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace ModelZoo.Host.Containment;

/// <summary>What has become of a process.</summary>
internal enum ProcessFate
{
    /// <summary>It lives.</summary>
    Lives,
    /// <summary>It has ended.</summary>
    Gone,
    /// <summary>It is one of another machine, which only that machine can tell.</summary>
    Elsewhere,
}

/// <summary>Which process it is, among those of all machines and times: a number alone is soon given to another.</summary>
/// <param name="Machine">Name of the machine, and its own id where it has one.</param>
/// <param name="Boot">The machine's start, where it tells.</param>
/// <param name="Id">Number of the process.</param>
/// <param name="Started">When it started.</param>
internal sealed record ProcessIdentity(string Machine, string Boot, int Id, DateTimeOffset Started)
{
    // A process' start is computed from the machine's, and that from the clock, which may be set meanwhile.
    private static readonly TimeSpan Precision = TimeSpan.FromSeconds(2);

    /// <summary>This process.</summary>
    public static ProcessIdentity Current
    {
        get
        {
            using var self = Process.GetCurrentProcess();
            return new($"{Environment.MachineName}/{Line("/etc/machine-id")}", Line("/proc/sys/kernel/random/boot_id"), Environment.ProcessId, self.StartTime.ToUniversalTime());
        }
    }

    /// <summary>What has become of another process, as this one sees it.</summary>
    public ProcessFate FateOf(ProcessIdentity other)
    {
        if (other.Machine != Machine) return ProcessFate.Elsewhere;
        if (other.Boot != Boot) return ProcessFate.Gone;
        try
        {
            using var process = Process.GetProcessById(other.Id);
            return (process.StartTime.ToUniversalTime() - other.Started.UtcDateTime).Duration() <= Precision ? ProcessFate.Lives : ProcessFate.Gone;
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException)
        {
            return ProcessFate.Gone;
        }
        catch (Win32Exception)
        {
            return ProcessFate.Lives; // somebody else's
        }
    }

    /// <summary>As <see cref="TryParse"/> reads it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Machine}\0{Boot}\0{Id}\0{Started:O}");

    /// <summary>From <see cref="ToString"/>; null when it is none.</summary>
    public static ProcessIdentity? TryParse(string text) =>
        text.Split('\0') is [var machine, var boot, var id, var started] && int.TryParse(id, CultureInfo.InvariantCulture, out var number) && DateTimeOffset.TryParse(started, CultureInfo.InvariantCulture, out var time) ? new(machine, boot, number, time) : null;

    private static string Line(string file)
    {
        try
        {
            return File.Exists(file) ? File.ReadAllText(file).Trim() : "";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
