using ModelZoo.Contracts;

namespace ModelZoo.Host.Serving;

/// <summary>The keys that open the server now; those in files can change while it serves.</summary>
internal sealed class KeyRing(ServerSettings settings)
{
    private AccessKeys _current = settings.Checked().Keys;

    /// <summary>The keys that count.</summary>
    public AccessKeys Current => Volatile.Read(ref _current);

    /// <summary>The files that hold keys.</summary>
    public IReadOnlyList<string> Files => settings.KeySource?.Files ?? [];

    /// <summary>The keys as their files stand, not yet in force.</summary>
    /// <exception cref="ModelZooException">A file cannot be read, or holds none.</exception>
    public AccessKeys Read() => settings.KeySource is { } source ? (settings with { Keys = source.Read() }).Checked().Keys : settings.Keys;

    /// <summary>Puts keys in force.</summary>
    public void Replace(AccessKeys keys) => Volatile.Write(ref _current, keys);
}

/// <summary>Where keys come from: two variables, and two files (one key a line) that other variables name, as secrets are mounted.</summary>
/// <param name="Users">Users' keys, with commas between them.</param>
/// <param name="Administrators">Administrators' keys, with commas between them.</param>
/// <param name="UserFile">File of users' keys.</param>
/// <param name="AdministratorFile">File of administrators' keys.</param>
internal sealed record KeySource(string? Users, string? Administrators, string? UserFile, string? AdministratorFile)
{
    /// <summary>Environment variable with the users' keys.</summary>
    public const string UserVariable = "MODELZOO_KEYS";

    /// <summary>Environment variable with the administrators' keys.</summary>
    public const string AdministratorVariable = "MODELZOO_ADMIN_KEYS";

    /// <summary>What names a file, behind the name of a variable.</summary>
    public const string FileSuffix = "_FILE";

    /// <summary>What the environment says.</summary>
    public static KeySource FromEnvironment() => new(
        Environment.GetEnvironmentVariable(UserVariable), Environment.GetEnvironmentVariable(AdministratorVariable), Environment.GetEnvironmentVariable(UserVariable + FileSuffix), Environment.GetEnvironmentVariable(AdministratorVariable + FileSuffix));

    /// <summary>The files.</summary>
    public IReadOnlyList<string> Files => [.. new[] { UserFile, AdministratorFile }.OfType<string>()];

    /// <summary>All keys.</summary>
    /// <exception cref="ModelZooException">A file cannot be read, or holds none: an emptied file must not open the server.</exception>
    public AccessKeys Read() => new([.. Listed(Users), .. Lines(UserFile, UserVariable)], [.. Listed(Administrators), .. Lines(AdministratorFile, AdministratorVariable)]);

    private static string[] Listed(string? keys) => keys?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    private static List<string> Lines(string? file, string variable)
    {
        if (file is null) return [];
        try
        {
            var keys = File.ReadLines(file).Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#').ToList();
            return keys.Count > 0 ? keys : throw Unusable("The file of keys holds none.", null);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unusable("The file of keys cannot be read.", error);
        }

        ModelZooException Unusable(string what, Exception? inner) => new(ErrorCodes.ManifestInvalid, what, inner) { Where = file, Expected = "one key a line", Remedy = $"{variable}{FileSuffix} names it." };
    }
}
