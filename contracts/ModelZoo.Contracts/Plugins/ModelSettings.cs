using System.Text.Json;

namespace ModelZoo.Contracts;

/// <summary>
/// The settings that the manifest gives a model. An architecture reads by name what it knows, all of it while it is opened; what nobody asked for by then is refused by the host.
/// </summary>
/// <param name="json">The object in the manifest; null for none.</param>
/// <param name="isShared">True when they are for every model of the plugin: one may leave what another reads.</param>
public sealed class ModelSettings(JsonElement? json = null, bool isShared = false)
{
    private readonly SortedSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>The object in the manifest; null for none.</summary>
    public JsonElement? Json => json;

    /// <summary>The names that were asked for so far.</summary>
    public IReadOnlyCollection<string> Known => _known;

    /// <summary>The names in the manifest that nobody asked for; none where the settings are shared.</summary>
    public IReadOnlyList<string> Unread => isShared || json is not { } settings ? [] : [.. settings.EnumerateObject().Select(setting => setting.Name).Where(name => !_known.Contains(name))];

    /// <summary>A setting that is a text, such as a folder; null where the manifest leaves it out.</summary>
    /// <exception cref="OptionsException">It is not a text (<see cref="ErrorCodes.OptionType"/>).</exception>
    public string? Text(string name)
    {
        _known.Add(name);
        if (json is not { } settings || !settings.TryGetProperty(name, out var value)) return null;
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw new OptionsException(ErrorCodes.OptionType, "A setting in the manifest has the wrong kind.") { Where = name, Expected = "a text", Found = value.GetRawText() };
    }
}
