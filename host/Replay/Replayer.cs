using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Evaluation;
using ModelZoo.Host.Media;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;
using ModelZoo.Inference;

namespace ModelZoo.Host.Replay;

/// <summary>What came out when a run was done again.</summary>
/// <param name="What">The file or data set in question.</param>
/// <param name="IsSame">True when it is the same, bit for bit.</param>
/// <param name="Found">SHA-256 of the file, or of the figures, that came out.</param>
/// <param name="Expected">The one that was recorded.</param>
/// <param name="Differences">What differs, as lines for people.</param>
internal sealed record ReplayOutcome(string What, bool IsSame, string Found, string Expected, IReadOnlyList<string> Differences);

/// <summary>Does recorded runs again and compares.</summary>
internal sealed class Replayer(ModelVerbs verbs, Evaluator evaluator, MediaFiles files)
{
    /// <summary>Does a run again.</summary>
    /// <exception cref="ModelZooException">It cannot be done again: it left nothing to compare with, or an input is not what it was.</exception>
    public async Task<ReplayOutcome> ReplayAsync(RunRecord record, CancellationToken cancel)
    {
        if (record.Evaluation is { } evaluation) return await EvaluateAsync(record, evaluation, cancel).ConfigureAwait(false);
        if (record.Output is not { } expected) throw new ModelZooException("replay.malformed", "This run wrote no file to compare with.") { Where = record.Model };
        foreach (var input in record.Inputs)
        {
            if (!File.Exists(input.Path) || RecordedFile.Of(input.Path).Sha256 != input.Sha256)
                throw new ModelZooException("replay.input-changed", "An input is not what it was.") { Where = input.Path, Expected = $"SHA-256 {input.Sha256}", Found = File.Exists(input.Path) ? $"SHA-256 {RecordedFile.Of(input.Path).Sha256}" : "no such file" };
        }

        var (media, provenance) = await RunAsync(record, cancel).ConfigureAwait(false);
        using var bytes = new MemoryStream();
        MediaFiles.Write(bytes, media, expected.Path);
        var digest = Digest(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
        return new(expected.Path, digest == expected.Sha256, digest, expected.Sha256, [.. record.Provenance.Differences(provenance)]);
    }

    private async Task<ReplayOutcome> EvaluateAsync(RunRecord record, RecordedEvaluation then, CancellationToken cancel)
    {
        if (then is not { DataSha256: { } data, Figures: { } measured }) throw new ModelZooException("replay.malformed", "This evaluation holds no figures to compare with.") { Where = record.Model };
        var report = await evaluator.EvaluateAsync(new(Request(record), then.Data, then.Metrics, then.Limit, record.Seed, Options(record)), static (_, _) => { }, cancel).ConfigureAwait(false);
        var figures = report.Figures();
        var differences = record.Provenance.Differences(report.Run.Provenance).ToList();
        if (report.Data.Sha256 != data) differences.Insert(0, $"data: SHA-256 {report.Data.Sha256[..12]}, then {data[..12]}");
        differences.AddRange(JsonDifferences.Between(figures, JsonObject.Create(measured)!).Select(difference => difference.ToString()));
        var (now, before) = (Digest(JsonSerializer.SerializeToUtf8Bytes(figures)), Digest(JsonSerializer.SerializeToUtf8Bytes(measured)));
        return new(then.Data, now == before && report.Data.Sha256 == data, now, before, differences);
    }

    private async Task<(Contracts.Media, Provenance)> RunAsync(RunRecord record, CancellationToken cancel)
    {
        var (request, options) = (Request(record), Options(record));
        var inputs = new List<Contracts.Media>();
        foreach (var input in record.Inputs) inputs.Add(await files.ReadAsync(input.Path, cancel).ConfigureAwait(false));
        switch (record.Verb)
        {
            case "tokenize":
                var tokens = await verbs.TokenizeAsync(request, inputs.Count > 0 ? inputs[0] : new Text(record.Prompt ?? ""), options, cancel).ConfigureAwait(false);
                return (tokens.Value, tokens.Provenance);
            case "detokenize":
                var media = await verbs.DetokenizeAsync(request, inputs.Count > 0 ? inputs[0] : BareIds.Parse(record.Prompt ?? ""), options, cancel).ConfigureAwait(false);
                return (media.Value, media.Provenance);
            case "generate":
                var made = await verbs.GenerateAsync(request, new(record.Prompt, inputs), options, record.Seed, static _ => { }, cancel).ConfigureAwait(false);
                return (made.Value, made.Provenance);
            default:
                throw new ModelZooException("replay.malformed", $"'{record.Verb}' is not a verb that is replayed.") { Expected = "tokenize, detokenize, generate or evaluate" };
        }
    }

    private static ModelRequest Request(RunRecord record) => new(ModelId.Parse(record.Model), record.Checkpoint, record.Device, record.Provenance.Precision ?? WeightPrecision.Float32.Name());

    private static JsonObject Options(RunRecord record) => JsonObject.Create(record.Options) ?? [];

    private static string Digest(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes));
}
