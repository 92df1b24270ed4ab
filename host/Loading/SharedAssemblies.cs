using System.Reflection;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Host.Loading;

/// <summary>
/// The assemblies that host and plugins share: the three contracts, from the host's own load context whatever a plugin brings. What the contracts themselves rest on
/// is lent to plugins that do not bring it. Everything else is private to a plugin.
/// </summary>
internal static class SharedAssemblies
{
    /// <summary>The contracts by name.</summary>
    public static IReadOnlyDictionary<string, Assembly> Contracts { get; } =
        new[] { typeof(IModelPlugin).Assembly, typeof(Device).Assembly, typeof(ParityCase).Assembly }.ToDictionary(assembly => assembly.GetName().Name!);

    /// <summary>True for assemblies of .NET itself, which every load context shares.</summary>
    public static bool IsFramework(string name) => FrameworkFolders.Any(folder => File.Exists(Path.Combine(folder, name + ".dll")));

    /// <summary>True for what the contracts rest on.</summary>
    public static bool IsLent(string name) => Lent.Contains(name);

    private static readonly string[] FrameworkFolders =
        [Path.GetDirectoryName(typeof(object).Assembly.Location)!, Path.GetDirectoryName(typeof(Microsoft.Extensions.Hosting.IHost).Assembly.Location)!];

    private static readonly HashSet<string> Lent =
        [.. Contracts.Values.SelectMany(assembly => assembly.GetReferencedAssemblies()).Select(reference => reference.Name!).Where(name => !Contracts.ContainsKey(name) && !IsFramework(name))];
}
