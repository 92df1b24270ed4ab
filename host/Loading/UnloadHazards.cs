using System.Reflection.Metadata;

namespace ModelZoo.Host.Loading;

/// <summary>What a plugin uses that keeps it from unloading or ends the host: the symbols that the template's build refuses, looked for in metadata, for plugins that were built without it.</summary>
internal static class UnloadHazards
{
    private sealed record Banned(string Type, string? Member, string Why);

    private static readonly Lazy<IReadOnlyList<Banned>> List = new(Read);
    private static readonly Lazy<ILookup<string, Banned>> ByType = new(() => List.Value.ToLookup(banned => banned.Type));

    /// <summary>Each banned symbol that the assembly references, with the reason.</summary>
    public static IReadOnlyList<string> Find(MetadataReader metadata)
    {
        var used = new Dictionary<EntityHandle, string>();
        foreach (var handle in metadata.TypeReferences)
        {
            if (PluginMetadata.TypeName(metadata, handle) is var type && ByType.Value.Contains(type)) used.Add(handle, type);
        }

        if (used.Count == 0) return [];
        var members = new HashSet<(string Type, string Name)>();
        foreach (var handle in metadata.MemberReferences)
        {
            var member = metadata.GetMemberReference(handle);
            if (used.TryGetValue(member.Parent, out var type)) members.Add((type, metadata.GetString(member.Name)));
        }

        return [.. List.Value.Where(banned => banned.Member is null ? used.ContainsValue(banned.Type) : members.Contains((banned.Type, banned.Member)))
            .Select(banned => $"it uses {banned.Type}{(banned.Member is null ? "" : "." + banned.Member)}: {banned.Why}").Distinct()];
    }

    // X:Namespace.Type.Member(Parameters);reason, as documentation comments name symbols. Events and properties are their methods in metadata.
    private static IReadOnlyList<Banned> Read()
    {
        using var reader = new StreamReader(typeof(UnloadHazards).Assembly.GetManifestResourceStream("template/BannedSymbols.txt")!);
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(';', 2)).Select(parts => Parse(parts[0], parts[1].Trim()))];
    }

    private static Banned Parse(string symbol, string why)
    {
        var (kind, name) = (symbol[0], symbol[2..].Split('(')[0]);
        if (kind == 'T') return new(name, null, why);
        var dot = name.LastIndexOf('.');
        var member = name[(dot + 1)..].Replace('#', '.');
        return new(name[..dot], kind switch { 'E' => "add_" + member, 'P' => "get_" + member, _ => member }, why);
    }
}
