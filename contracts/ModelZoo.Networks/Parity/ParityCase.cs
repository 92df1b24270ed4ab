using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Parity;

/// <summary>
/// A parity case: a folder with <c>case.json</c>, a tiny checkpoint, inputs, and what the authors' own code computed from them.
/// </summary>
public sealed record ParityCase
{
    /// <summary>Largest <c>max|a-b| / (1e-6 + max|b|)</c> of an output that says nothing else.</summary>
    public const double DefaultTolerance = 1e-4;

    /// <summary>The case's folder.</summary>
    public required string Folder { get; init; }

    /// <summary><c>family/architecture</c>.</summary>
    public required ModelId Model { get; init; }

    /// <summary>The code that computed the case, as it names it; null where it does not.</summary>
    public string? Reference { get; init; }

    /// <summary>Where in <c>checkpoint/</c> the weights are.</summary>
    public IReadOnlyList<CheckpointPart> Checkpoint { get; init; } = [];

    /// <summary>The calls, in order, on one opened model.</summary>
    public required IReadOnlyList<ParityCall> Calls { get; init; }

    /// <summary>Outputs that must match exactly.</summary>
    public IReadOnlySet<string> Exact { get; init; } = new HashSet<string>();

    /// <summary>Tolerances of single outputs, where they are not <see cref="DefaultTolerance"/>.</summary>
    public IReadOnlyDictionary<string, double> Tolerances { get; init; } = new Dictionary<string, double>();

    /// <summary>Tolerance of a real output that names none.</summary>
    internal double Tolerance { get; private init; } = DefaultTolerance;

    /// <summary>The case with no tolerance below <paramref name="least"/>; what must be equal must be equal.</summary>
    internal ParityCase With(double least) => this with
    {
        Tolerance = Math.Max(Tolerance, least), Tolerances = Tolerances.ToDictionary(own => own.Key, own => Math.Max(own.Value, least)),
    };

    /// <summary><c>family/architecture/case</c>.</summary>
    public string Name => $"{Model}/{Path.GetFileName(Folder)}";

    /// <summary>The folder of published files, or null when the architecture has no weights.</summary>
    public string? CheckpointFolder => Path.Combine(Folder, "checkpoint") is var folder && Directory.Exists(folder) ? folder : null;

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>Folders with a <c>case.json</c> at or below <paramref name="path"/>, in order of name.</summary>
    /// <exception cref="ModelZooException">There is no such folder.</exception>
    public static IReadOnlyList<string> Find(string path)
    {
        if (File.Exists(path) && Path.GetFileName(path) == "case.json") path = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(path)) throw new ModelZooException(ErrorCodes.CaseMalformed, "There is no such folder of cases.") { Where = path };
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None };
        return [.. Directory.EnumerateFiles(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)), "case.json", options).Select(file => Path.GetDirectoryName(file)!).Order(StringComparer.Ordinal)];
    }

    /// <summary>Reads a case.</summary>
    /// <exception cref="ModelZooException">It breaks the format's rules (<see cref="ErrorCodes.CaseMalformed"/>).</exception>
    public static ParityCase Load(string folder)
    {
        var path = Path.Combine(folder, "case.json");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            return new()
            {
                Folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)),
                Model = ModelId.Parse(root.GetProperty("model").GetString() ?? ""),
                Reference = root.TryGetProperty("reference", out var reference) && reference.ValueKind == JsonValueKind.String ? reference.GetString() : null,
                Checkpoint = root.TryGetProperty("checkpoint", out var checkpoint) ? Parts(checkpoint) : [],
                Calls = [.. root.GetProperty("calls").EnumerateArray().Select(Call)],
                Exact = root.TryGetProperty("exact", out var exact) && exact.ValueKind == JsonValueKind.Array ? exact.EnumerateArray().Select(name => name.GetString()!).ToHashSet() : [],
                Tolerances = root.TryGetProperty("tolerance", out var tolerance) && tolerance.ValueKind == JsonValueKind.Object
                    ? tolerance.EnumerateObject().ToDictionary(entry => entry.Name, entry => (entry.Value.ValueKind == JsonValueKind.Object ? entry.Value.GetProperty("value") : entry.Value).GetDouble())
                    : [],
            };
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or IOException or UnauthorizedAccessException)
        {
            throw new ModelZooException(ErrorCodes.CaseMalformed, $"The case cannot be read: {error.Message}", error) { Where = path };
        }
    }

    private static IReadOnlyList<CheckpointPart> Parts(JsonElement checkpoint) => checkpoint.ValueKind switch
    {
        JsonValueKind.Array => [.. checkpoint.EnumerateArray().SelectMany(Parts)],
        JsonValueKind.Object => [new(checkpoint.GetProperty("file").GetString()!, checkpoint.TryGetProperty("key", out var key) ? key.GetString() : null)],
        JsonValueKind.String => [new(checkpoint.GetString()!)],
        _ => [],
    };

    private static ParityCall Call(JsonElement call) => new(
        call.GetProperty("call").GetString() ?? throw new JsonException("a call has no name"),
        call.TryGetProperty("inputs", out var inputs) ? [.. inputs.EnumerateObject().Select(input => KeyValuePair.Create(input.Name, input.Value.Clone()))] : [],
        [.. call.GetProperty("outputs").EnumerateObject().Select(output => KeyValuePair.Create(output.Name, output.Value.GetString() ?? throw new JsonException($"output '{output.Name}' names nothing")))]);
}

/// <summary>A call of a case, in the reference's own words.</summary>
/// <param name="Name">Its name, such as <c>encode</c>.</param>
/// <param name="Inputs">Argument name, and a tensor name, a file name or a literal.</param>
/// <param name="Outputs">Result name, and the tensor of <c>expected.safetensors</c> or the file of lines that it must equal.</param>
public sealed record ParityCall(string Name, IReadOnlyList<KeyValuePair<string, JsonElement>> Inputs, IReadOnlyList<KeyValuePair<string, string>> Outputs);
