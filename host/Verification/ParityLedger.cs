using System.Text.Json;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Host.Verification;

/// <summary>What <c>verify</c> last said of each model, kept between runs. A state holds for the plugin it was seen with.</summary>
internal sealed class ParityLedger(string file)
{
    /// <summary>The state of a model.</summary>
    /// <param name="Passed">Cases that passed.</param>
    /// <param name="Cases">Cases that were run.</param>
    /// <param name="Device">Where.</param>
    /// <param name="PluginSha256">The plugin's digest at that time.</param>
    /// <param name="At">When.</param>
    /// <param name="Failed">Names of the cases that did not pass; null in a file of before.</param>
    internal sealed record Entry(int Passed, int Cases, string Device, string PluginSha256, DateTimeOffset At, IReadOnlyList<string>? Failed = null);

    /// <summary>All states by model id; empty when nothing was verified.</summary>
    public IReadOnlyDictionary<string, Entry> Read()
    {
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, Entry>>(File.ReadAllBytes(file)) ?? [];
        }
        catch (Exception error) when (error is IOException or JsonException or UnauthorizedAccessException)
        {
            return new Dictionary<string, Entry>(); // it can be made again
        }
    }

    /// <summary>Takes the reports of a run over what was there; unsupported cases say nothing of a model.</summary>
    public void Record(IEnumerable<ParityReport> reports, string device, Func<string, string?> pluginDigest, DateTimeOffset at)
    {
        var all = new Dictionary<string, Entry>(Read());
        foreach (var group in reports.Where(report => report.Status != ParityStatus.Unsupported && report.Model.Length > 0).GroupBy(report => report.Model))
        {
            if (pluginDigest(group.Key) is { } digest) all[group.Key] = new(group.Count(report => report.Status == ParityStatus.Pass), group.Count(), device, digest, at, [.. group.Where(report => report.Status != ParityStatus.Pass).Select(report => report.Case.Split('/')[^1])]);
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            var scratch = $"{file}.{Guid.NewGuid():N}";
            File.WriteAllBytes(scratch, JsonSerializer.SerializeToUtf8Bytes(all));
            File.Move(scratch, file, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // a cache that cannot be written is no reason to fail
        }
    }
}
