using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace ModelZoo.Host.Loading;

/// <summary>Every type and member that the host's contracts assemblies offer, by name and signature.</summary>
internal sealed class ContractsSurface
{
    private readonly HashSet<string> _members = [];
    private readonly Dictionary<string, string> _bases = [];
    private readonly HashSet<string> _types = [];

    private ContractsSurface(Assembly assembly)
    {
        using var image = new PEReader(File.OpenRead(assembly.Location));
        var metadata = image.GetMetadataReader();
        foreach (var handle in metadata.TypeDefinitions)
        {
            var type = metadata.GetTypeDefinition(handle);
            if (!IsVisible(metadata, type)) continue;
            var name = PluginMetadata.TypeName(metadata, handle);
            _types.Add(name);
            if (!type.BaseType.IsNil) _bases[name] = PluginMetadata.TypeName(metadata, type.BaseType);
            foreach (var method in type.GetMethods().Select(metadata.GetMethodDefinition).Where(IsVisible))
                _members.Add($"{name}.{metadata.GetString(method.Name)}{PluginMetadata.Method(method.DecodeSignature(SignatureText.Instance, null))}");
            foreach (var field in type.GetFields().Select(metadata.GetFieldDefinition).Where(field => (field.Attributes & FieldAttributes.FieldAccessMask) is FieldAttributes.Public or FieldAttributes.Family or FieldAttributes.FamORAssem))
                _members.Add($"{name}.{metadata.GetString(field.Name)}{field.DecodeSignature(SignatureText.Instance, null)}");
        }
    }

    /// <summary>Surfaces of the three contracts by assembly name, read once.</summary>
    public static IReadOnlyDictionary<string, ContractsSurface> All => Surfaces.Value;

    private static readonly Lazy<IReadOnlyDictionary<string, ContractsSurface>> Surfaces =
        new(() => SharedAssemblies.Contracts.ToDictionary(pair => pair.Key, pair => new ContractsSurface(pair.Value)));

    /// <summary>True when there is a public type of that name.</summary>
    public bool HasType(string type) => _types.Contains(type);

    /// <summary>True when the type, or one that it descends from, has the member.</summary>
    public bool HasMember(string type, string member, string signature)
    {
        for (string? current = type; current is not null; current = _bases.GetValueOrDefault(current))
        {
            if (_members.Contains($"{current}.{member}{signature}")) return true;
            if (!_types.Contains(current)) return IsFrameworkMember(current, member);
        }

        return false;
    }

    // Members that contracts inherit from .NET; what is in none of its core types is given the benefit of the doubt.
    private static bool IsFrameworkMember(string type, string member) =>
        Type.GetType(type) is not { } known || known.GetMember(member, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.FlattenHierarchy).Length > 0;

    private static bool IsVisible(MetadataReader metadata, TypeDefinition type) => (type.Attributes & TypeAttributes.VisibilityMask) switch
    {
        TypeAttributes.Public => true,
        TypeAttributes.NestedPublic or TypeAttributes.NestedFamily or TypeAttributes.NestedFamORAssem => IsVisible(metadata, metadata.GetTypeDefinition(type.GetDeclaringType())),
        _ => false,
    };

    private static bool IsVisible(MethodDefinition method) => (method.Attributes & MethodAttributes.MemberAccessMask) is MethodAttributes.Public or MethodAttributes.Family or MethodAttributes.FamORAssem;
}
