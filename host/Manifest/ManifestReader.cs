using System.Text.Json;
using System.Globalization;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Manifest;

/// <summary>Reads <c>plugins.json</c>. Errors give file, line and the nearest valid key.</summary>
internal static partial class ManifestReader
{
    /// <summary>Name of the manifest.</summary>
    public const string FileName = "plugins.json";

    /// <summary>The manifest of the working folder or the nearest folder above it, else the one above the executable; null when there is none.</summary>
    public static string? Locate(string workingFolder, string executableFolder) => Above(workingFolder) ?? Above(executableFolder);

    /// <summary>The user's own manifest, which is laid over the project's when it exists.</summary>
    public static string UserFile => Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData, Environment.SpecialFolderOption.DoNotVerify), "modelzoo", FileName);

    /// <summary>Reads files, each laid over those before it.</summary>
    /// <exception cref="ModelZooException">A file is missing or wrong (<see cref="ErrorCodes.ManifestInvalid"/>).</exception>
    public static HostManifest Read(IEnumerable<string> files, Func<string, string?>? environment = null) =>
        files.Aggregate(new HostManifest(), (below, file) => Overlay(below, Read(file, environment ?? Environment.GetEnvironmentVariable)));

    private static HostManifest Overlay(HostManifest below, HostManifest above) => new()
    {
        Files = [.. below.Files, .. above.Files],
        Plugins = [.. below.Plugins.Where(entry => above.Plugins.All(other => other.Path != entry.Path)), .. above.Plugins],
        Models = below.Models.Concat(above.Models).GroupBy(pair => pair.Key).ToDictionary(group => group.Key, group => group.Last().Value),
        Memory = below.Memory.Concat(above.Memory).GroupBy(pair => pair.Key).ToDictionary(group => group.Key, group => group.Last().Value),
        Device = above.Device ?? below.Device,
        Watch = [.. below.Watch, .. above.Watch],
        Queue = above.Queue ?? below.Queue,
        Quarantine = above.Quarantine ?? below.Quarantine,
    };

    private static HostManifest Read(string file, Func<string, string?> environment)
    {
        byte[] text;
        try
        {
            text = File.ReadAllBytes(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ModelZooException(ErrorCodes.ManifestInvalid, "The manifest cannot be read.", error) { Where = file, Remedy = "Name another with --manifest FILE." };
        }

        file = Path.GetFullPath(file);
        var folder = Path.GetDirectoryName(file)!;
        var root = LocatedJson.Parse(file, text, (value, at) => Substitute(value, at, environment))
            .AllowOnly("$schema", "plugins", "models", "device", "memory", "watch", "queue", "quarantine");
        return new()
        {
            Files = [file],
            Plugins = [.. root.Find("plugins")?.Items.Select(item => Plugin(item, folder)) ?? []],
            Models = root.Find("models") is { } models ? Models(models, folder) : new Dictionary<ModelId, ModelEntry>(),
            Memory = root.Find("memory")?.Properties.ToDictionary(pair => pair.Key, pair => Bytes(pair.Value)) ?? [],
            Device = root.Find("device") is { } device ? Device(device) : null,
            Watch = [.. root.Find("watch")?.Items.Select(item => Absolute(folder, item)) ?? []],
            Queue = root.Find("queue") is { } queue ? Queue(queue) : null,
            Quarantine = root.Find("quarantine") is { } quarantine ? Quarantine(quarantine) : null,
        };
    }

    private static PluginEntry Plugin(LocatedJson item, string folder)
    {
        if (item.Kind == JsonValueKind.String) return new(Absolute(folder, item), item.Where);
        item.AllowOnly("path", "enabled", "sha256", "settings");
        var path = item.Find("path") ?? throw new ModelZooException(ErrorCodes.ManifestInvalid, "A plugin has no path.") { Where = item.Where, Expected = "\"path\": \"folder, DLL, .nupkg or .zip\"" };
        return new(Absolute(folder, path), item.Where)
        {
            Enabled = item.Find("enabled")?.AsBoolean() ?? true,
            Sha256 = item.Find("sha256") is { } pin ? Sha256().IsMatch(pin.AsString()) ? pin.AsString().ToLowerInvariant() : throw pin.Wrong("64 hexadecimal digits, as `modelzoo plugins pin` writes them") : null,
            Settings = Settings(item),
        };
    }

    private static JsonElement? Settings(LocatedJson item) =>
        item.Find("settings") is not { } settings ? null : settings.Kind == JsonValueKind.Object ? settings.ToElement() : throw settings.Wrong("an object");

    private static Dictionary<ModelId, ModelEntry> Models(LocatedJson item, string folder)
    {
        var models = item.Properties.ToDictionary(pair => Id(pair.Key, pair.Value), pair => Model(pair.Value, folder));
        return models.Where(model => model.Value.Name is not null).GroupBy(model => model.Value.Name).FirstOrDefault(group => group.Count() > 1)?.Select(model => model.Key).ToList() is not [var one, var other, ..] ? models
            : throw new ModelZooException(ErrorCodes.ManifestInvalid, $"{one} and {other} have one name.") { Where = item.Where, Found = models[one].Name };
    }

    private static ModelEntry Model(LocatedJson item, string folder)
    {
        item.AllowOnly("name", "checkpoint", "parts", "device", "precision", "settings", "options", "warm");
        return new()
        {
            Name = item.Find("name") is { } name ? ServedName().IsMatch(name.AsString()) ? name.AsString() : throw name.Wrong("lower-case letters, digits and single -, as in \"codec\"") : null,
            Checkpoint = item.Find("checkpoint") is { } checkpoint ? Absolute(folder, checkpoint) : null,
            Parts = [.. item.Find("parts")?.Items.Select(part => new CheckpointPart(part.AllowOnly("file", "key").Find("file")?.AsString() ?? throw part.Wrong("{ \"file\": ... }"), part.Find("key")?.AsString())) ?? []],
            Device = item.Find("device") is { } device ? Device(device) : null,
            Precision = item.Find("precision") is { } precision ? Precision(precision) : null,
            Settings = Settings(item),
            Options = item.Find("options")?.ToElement(),
            Warm = item.Find("warm")?.AsBoolean() ?? false,
        };
    }

    private static QueueSettings Queue(LocatedJson item)
    {
        item.AllowOnly("concurrency", "batch", "limit", "deadlineSeconds", "ageingSeconds");
        var defaults = QueueSettings.Default;
        return new()
        {
            Concurrency = item.Find("concurrency") is { } c ? Positive(c) : defaults.Concurrency,
            Batch = item.Find("batch") is { } b ? Positive(b) : defaults.Batch,
            Limit = item.Find("limit") is { } l ? Positive(l) : defaults.Limit,
            Deadline = item.Find("deadlineSeconds") is { } d ? Seconds(d) : defaults.Deadline,
            Ageing = item.Find("ageingSeconds") is { } a ? Seconds(a) : defaults.Ageing,
        };
    }

    private static QuarantineSettings Quarantine(LocatedJson item) =>
        item.AllowOnly("faults").Find("faults") is { } faults ? new() { Faults = Positive(faults) } : new();

    private static TimeSpan Seconds(LocatedJson item) => item.AsNumber() is > 0 and <= 86_400 and var value ? TimeSpan.FromSeconds(value) : throw item.Wrong("seconds, more than 0 and at most a day");

    private static int Positive(LocatedJson item) => item.AsInteger() is > 0 and var value ? value : throw item.Wrong("a whole number above 0");

    private static ModelId Id(string key, LocatedJson at) => ModelId.TryParse(key, out var id)
        ? id
        : throw new ModelZooException(ErrorCodes.ManifestInvalid, "That is not the name of a model.") { Where = at.Where, Expected = "family/architecture.tag", Found = $"'{key}'" };

    private static string Device(LocatedJson item) => Inference.Device.TryParse(item.AsString(), null, out var device)
        ? device.ToString()
        : throw item.Wrong("cpu, webgpu[:n], cuda[:n], tensorrt[:n] or auto");

    private static string Precision(LocatedJson item) => Inference.WeightPrecisions.TryParse(item.AsString(), out var precision) ? Inference.WeightPrecisions.Name(precision) : throw item.Wrong("float32, int8 or int4");

    private static long Bytes(LocatedJson item)
    {
        var match = Size().Match(item.AsString());
        return match.Success
            ? (long)(double.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) * match.Groups[2].Value.ToUpperInvariant() switch { "KB" => 1L << 10, "MB" => 1L << 20, "GB" => 1L << 30, _ => 1 })
            : throw item.Wrong("a size such as 512MB or 4GB");
    }

    private static string Absolute(string folder, LocatedJson item) => item.AsString() is { Length: > 0 } path ? Path.GetFullPath(Path.Combine(folder, path)) : throw item.Wrong("a path");

    // ${NAME} or ${NAME:-otherwise}
    private static string Substitute(string value, LocatedJson at, Func<string, string?> environment) => Variable().Replace(value, match =>
        environment(match.Groups["name"].Value) ?? (match.Groups["otherwise"].Success
            ? match.Groups["otherwise"].Value
            : throw new ModelZooException(ErrorCodes.ManifestInvalid, $"The environment variable {match.Groups["name"].Value} is not set.")
            { Where = at.Where, Remedy = $"Set it, or write ${{{match.Groups["name"].Value}:-otherwise}}." }));

    private static string? Above(string? folder)
    {
        while (folder is not null && !File.Exists(Path.Combine(folder, FileName))) folder = Path.GetDirectoryName(folder);
        return folder is null ? null : Path.Combine(folder, FileName);
    }

    [GeneratedRegex(@"\$\{(?<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?<otherwise>[^}]*))?\}")]
    private static partial Regex Variable();

    [GeneratedRegex("^[a-z0-9]+(-[a-z0-9]+)*$")]
    private static partial Regex ServedName();

    [GeneratedRegex("^[0-9a-fA-F]{64}$")]
    private static partial Regex Sha256();

    [GeneratedRegex("^([0-9]+(?:\\.[0-9]+)?) ?(B|[kKMG]B)?$", RegexOptions.IgnoreCase)]
    private static partial Regex Size();
}
