using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Runtime.Versioning;

namespace ModelZoo.Host.Loading;

/// <summary>What a plugin's metadata says before any of its code runs.</summary>
/// <param name="Version">Version of the main assembly.</param>
/// <param name="Framework">What it was built for, such as <c>.NETCoreApp,Version=v10.0</c>.</param>
/// <param name="Contracts">Version of the contracts it was built against.</param>
/// <param name="Problems">Why it cannot run here, one by one; empty when it can.</param>
/// <param name="Hazards">What it uses that keeps plugins from unloading; it runs all the same.</param>
internal sealed record PluginInspection(Version Version, string Framework, Version? Contracts, IReadOnlyList<string> Problems, IReadOnlyList<string> Hazards);

/// <summary>Reads a plugin's metadata: target framework, contracts version, and whether each contracts member that it references is there.</summary>
internal static class PluginInspector
{
    /// <summary>Inspects a main assembly.</summary>
    public static PluginInspection Inspect(string path)
    {
        using var image = new PEReader(File.OpenRead(path));
        var metadata = image.GetMetadataReader();
        var problems = new List<string>();

        var framework = Framework(metadata);
        if (framework is not null && (new FrameworkName(framework) is not { Identifier: ".NETCoreApp" } name || name.Version > Environment.Version))
            problems.Add($"it is built for {framework}, and this host runs .NET {Environment.Version.Major}.{Environment.Version.Minor}");

        Version? contracts = null;
        foreach (var reference in metadata.AssemblyReferences.Select(metadata.GetAssemblyReference))
        {
            if (!SharedAssemblies.Contracts.TryGetValue(metadata.GetString(reference.Name), out var shared)) continue;
            if (contracts is null || reference.Version > contracts) contracts = reference.Version;
            if (reference.Version > shared.GetName().Version)
                problems.Add($"it is built against {shared.GetName().Name} {reference.Version.ToString(3)}, which is newer than this host's {shared.GetName().Version!.ToString(3)}");
        }

        problems.AddRange(MissingMembers(metadata));
        return new(metadata.GetAssemblyDefinition().Version, framework ?? "unknown", contracts, problems, UnloadHazards.Find(metadata));
    }

    private static IEnumerable<string> MissingMembers(MetadataReader metadata)
    {
        var missing = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var handle in metadata.TypeReferences)
        {
            if (Surface(metadata, handle) is { } surface && PluginMetadata.TypeName(metadata, handle) is var type && !surface.HasType(type)) missing.Add($"this host has no {type}");
        }

        var parents = new Dictionary<EntityHandle, (ContractsSurface? Surface, string Type)>();
        foreach (var handle in metadata.MemberReferences)
        {
            var member = metadata.GetMemberReference(handle);
            if (!parents.TryGetValue(member.Parent, out var parent)) parents.Add(member.Parent, parent = Surface(metadata, member.Parent) is { } found ? (found, PluginMetadata.TypeName(metadata, member.Parent)) : default);
            if (parent.Surface is not { } surface || !surface.HasType(parent.Type)) continue;
            var (name, signature) = (metadata.GetString(member.Name), PluginMetadata.Signature(metadata, member));
            if (!surface.HasMember(parent.Type, name, signature)) missing.Add($"this host has no {parent.Type}.{name}{signature}");
        }

        return missing;
    }

    private static ContractsSurface? Surface(MetadataReader metadata, EntityHandle type) =>
        PluginMetadata.AssemblyOf(metadata, type) is { } assembly ? ContractsSurface.All.GetValueOrDefault(assembly) : null;

    private static string? Framework(MetadataReader metadata)
    {
        foreach (var handle in metadata.GetAssemblyDefinition().GetCustomAttributes())
        {
            if (PluginMetadata.AttributeName(metadata, handle) != typeof(TargetFrameworkAttribute).FullName) continue;
            var value = metadata.GetBlobReader(metadata.GetCustomAttribute(handle).Value);
            value.ReadUInt16();
            return value.ReadSerializedString();
        }

        return null;
    }
}
