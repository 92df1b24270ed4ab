namespace ModelZoo.Conformance;

/// <summary>Places in the checked-out repository.</summary>
public static class Repository
{
    /// <summary>The folder with <c>ModelZoo.sln</c>, above the running tests; null for tests outside of it.</summary>
    public static string? Root { get; } = Above(AppContext.BaseDirectory);

    /// <summary>A path below the root.</summary>
    /// <exception cref="InvalidOperationException">The tests run outside of the repository.</exception>
    public static string Path(params string[] parts) =>
        System.IO.Path.Combine([Root ?? throw new InvalidOperationException("The tests run outside of the repository."), .. parts]);

    private static string? Above(string? folder)
    {
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder, "ModelZoo.sln"))) folder = System.IO.Path.GetDirectoryName(folder);
        return folder;
    }
}
