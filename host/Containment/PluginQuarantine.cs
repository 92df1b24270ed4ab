using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
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

/// <summary>The plugins in quarantine, each in a file of its own, so that hosts that start later, and those that run beside, know of them.</summary>
internal sealed class PluginQuarantine(string folder, TimeProvider clock)
{
    /// <summary>Strikes that condemn: a machine may be slow once, and a process may be killed once.</summary>
    public const int StrikesAllowed = 2;

    private readonly Lock _lock = new();

    // Where the folder cannot be written, this process at least knows what it saw.
    private readonly ConcurrentDictionary<string, QuarantineEntry> _unwritten = new();

    /// <summary>All entries.</summary>
    public IReadOnlyList<QuarantineEntry> Entries => [.. Files().Select(Read).OfType<QuarantineEntry>(), .. _unwritten.Values];

    /// <summary>Why the plugin of that path is not run; null when it may be. Other files than those that were condemned may.</summary>
    public string? Refuses(string path)
    {
        if (Find(path) is not { } entry) return null;
        if (entry.Sha256 == PluginDigest.Of(path)) return entry.IsCondemned ? entry.Sentence : null;
        Forgive(path);
        return null;
    }

    /// <summary>True when there is an entry for that path: strikes, or a sentence.</summary>
    public bool Holds(string path) => Find(path) is not null;

    /// <summary>Puts a plugin into quarantine.</summary>
    public QuarantineEntry Condemn(string name, string path, string digest, string reason) => Write(new(name, path, digest, 0, true, reason, clock.GetUtcNow()));

    /// <summary>Counts a strike, and condemns when there are as many as are allowed.</summary>
    public QuarantineEntry Strike(string name, string path, string reason)
    {
        var digest = DigestOf(path);
        lock (_lock)
        {
            var before = Find(path) is { } entry && entry.Sha256 == digest ? entry : null;
            return Write(new(name, path, digest, (before?.Strikes ?? 0) + 1, before is { IsCondemned: true } || before?.Strikes + 1 >= StrikesAllowed, reason, clock.GetUtcNow()));
        }
    }

    /// <summary>Lets a plugin go; false when it was not held.</summary>
    public bool Forgive(string path)
    {
        var held = _unwritten.TryRemove(path, out _);
        try
        {
            held |= File.Exists(FileOf(path));
            File.Delete(FileOf(path));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // There is no such folder, or it is not ours to change.
        }

        return held;
    }

    private QuarantineEntry? Find(string path) => _unwritten.GetValueOrDefault(path) ?? Read(FileOf(path));

    private string FileOf(string path) => Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..32] + ".json");

    private IEnumerable<string> Files()
    {
        try
        {
            return Directory.Exists(folder) ? Directory.GetFiles(folder, "*.json") : [];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    // Without its file a plugin gets another chance, which is no harm.
    private static QuarantineEntry? Read(string file)
    {
        try
        {
            return File.Exists(file) ? JsonSerializer.Deserialize<QuarantineEntry>(File.ReadAllBytes(file)) : null;
        }
        catch (Exception error) when (error is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private QuarantineEntry Write(QuarantineEntry entry)
    {
        try
        {
            Directory.CreateDirectory(folder);
            var scratch = Path.Combine(folder, $"{Guid.NewGuid():N}.part");
            File.WriteAllBytes(scratch, JsonSerializer.SerializeToUtf8Bytes(entry));
            File.Move(scratch, FileOf(entry.Path), overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _unwritten[entry.Path] = entry;
        }

        return entry;
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
}
