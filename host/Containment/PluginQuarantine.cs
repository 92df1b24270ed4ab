using System.Text.Json;
using ModelZoo.Host.Loading;

namespace ModelZoo.Host.Containment;

/// <summary>A plugin that is not to be run, or is on its way there.</summary>
/// <param name="Name">The plugin.</param>
/// <param name="Path">Folder, DLL or archive that it comes from.</param>
/// <param name="Sha256">Digest of the files that did it; others get a new chance.</param>
/// <param name="Strikes">Times that it hung while it was loaded, or that the process ended while it worked.</param>
/// <param name="IsCondemned">True when it is not run any more.</param>
/// <param name="Reason">What was seen.</param>
/// <param name="At">When.</param>
internal sealed record QuarantineEntry(string Name, string Path, string Sha256, int Strikes, bool IsCondemned, string Reason, DateTimeOffset At)
{
    /// <summary>The reason with what lifts it.</summary>
    public string Sentence => $"It is in quarantine since {At.UtcDateTime:yyyy-MM-dd HH:mm} UTC: {Reason.TrimEnd('.')}. Put other files in its place, or lift it with `modelzoo plugins release {Name}`.";
}

/// <summary>The plugins in quarantine, kept in a file so that hosts that start later, and those that run beside, know of them.</summary>
internal sealed class PluginQuarantine(string file, TimeProvider clock)
{
    /// <summary>Strikes that condemn: a machine may be slow once, and a process may be killed once.</summary>
    public const int StrikesAllowed = 2;

    private readonly Lock _lock = new();
    private IReadOnlyList<QuarantineEntry>? _unwritten;

    /// <summary>All entries; empty when the file is not there or cannot be read.</summary>
    public IReadOnlyList<QuarantineEntry> Entries
    {
        get
        {
            if (Volatile.Read(ref _unwritten) is { } own) return own;
            try
            {
                return File.Exists(file) ? JsonSerializer.Deserialize<List<QuarantineEntry>>(File.ReadAllBytes(file)) ?? [] : [];
            }
            catch (Exception error) when (error is IOException or JsonException or UnauthorizedAccessException)
            {
                return []; // without it a plugin gets another chance, which is no harm
            }
        }
    }

    /// <summary>Why the plugin of that path is not run; null when it may be. Other files than those that were condemned may.</summary>
    public string? Refuses(string path)
    {
        if (Entries.FirstOrDefault(entry => entry.Path == path) is not { } entry) return null;
        if (entry.Sha256 == PluginDigest.Of(path)) return entry.IsCondemned ? entry.Sentence : null;
        Forgive(path);
        return null;
    }

    /// <summary>Puts a plugin into quarantine.</summary>
    public QuarantineEntry Condemn(string name, string path, string digest, string reason) => Change(path, digest, _ => new(name, path, digest, 0, true, reason, clock.GetUtcNow()));

    /// <summary>Counts a strike, and condemns when there are as many as are allowed.</summary>
    public QuarantineEntry Strike(string name, string path, string reason)
    {
        var digest = DigestOf(path);
        return Change(path, digest, before => new(name, path, digest, (before?.Strikes ?? 0) + 1, before is { IsCondemned: true } || before?.Strikes + 1 >= StrikesAllowed, reason, clock.GetUtcNow()));
    }

    /// <summary>Lets a plugin go; false when it was not held.</summary>
    public bool Forgive(string path)
    {
        lock (_lock)
        {
            var before = Entries;
            var after = before.Where(entry => entry.Path != path).ToList();
            if (after.Count == before.Count) return false;
            Write(after);
            return true;
        }
    }

    private QuarantineEntry Change(string path, string digest, Func<QuarantineEntry?, QuarantineEntry> change)
    {
        lock (_lock)
        {
            var before = Entries;
            var entry = change(before.FirstOrDefault(entry => entry.Path == path && entry.Sha256 == digest));
            Write([.. before.Where(other => other.Path != path), entry]);
            return entry;
        }
    }

    private static string DigestOf(string path)
    {
        try
        {
            return PluginDigest.Of(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "gone"; // what is gone cannot be loaded again, and what comes in its place is something else
        }
    }

    private void Write(List<QuarantineEntry> entries)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            var scratch = $"{file}.{Guid.NewGuid():N}";
            File.WriteAllBytes(scratch, JsonSerializer.SerializeToUtf8Bytes(entries));
            File.Move(scratch, file, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Volatile.Write(ref _unwritten, entries); // this process knows what it saw; the next one has to see it again
        }
    }
}
