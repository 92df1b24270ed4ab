using System.Collections.Immutable;
using System.Reflection.Metadata;

namespace ModelZoo.Host.Loading;

/// <summary>Names and signatures as one form of text, so that what a plugin references can be looked up in what the host has.</summary>
internal static class PluginMetadata
{
    /// <summary>Full name of an attribute's type.</summary>
    public static string AttributeName(MetadataReader metadata, CustomAttributeHandle handle)
    {
        var constructor = metadata.GetCustomAttribute(handle).Constructor;
        var type = constructor.Kind == HandleKind.MemberReference
            ? metadata.GetMemberReference((MemberReferenceHandle)constructor).Parent
            : metadata.GetMethodDefinition((MethodDefinitionHandle)constructor).GetDeclaringType();
        return TypeName(metadata, type);
    }

    /// <summary>Full name of a type definition, reference, or the generic type of an instantiation; nested names follow a plus.</summary>
    public static string TypeName(MetadataReader metadata, EntityHandle handle) => handle.Kind switch
    {
        HandleKind.TypeReference => metadata.GetTypeReference((TypeReferenceHandle)handle) is var reference && reference.ResolutionScope.Kind == HandleKind.TypeReference
            ? $"{TypeName(metadata, reference.ResolutionScope)}+{metadata.GetString(reference.Name)}"
            : Full(metadata, reference.Namespace, reference.Name),
        HandleKind.TypeDefinition => metadata.GetTypeDefinition((TypeDefinitionHandle)handle) is var definition && !definition.GetDeclaringType().IsNil
            ? $"{TypeName(metadata, definition.GetDeclaringType())}+{metadata.GetString(definition.Name)}"
            : Full(metadata, definition.Namespace, definition.Name),
        HandleKind.TypeSpecification => metadata.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(SignatureText.Instance, null) is var text && text.IndexOf('<') is > 0 and var end ? text[..end] : text,
        _ => "",
    };

    /// <summary>The assembly that a type reference points into, or null for this one.</summary>
    public static string? AssemblyOf(MetadataReader metadata, EntityHandle handle)
    {
        while (true)
        {
            switch (handle.Kind)
            {
                case HandleKind.TypeReference:
                    handle = metadata.GetTypeReference((TypeReferenceHandle)handle).ResolutionScope;
                    continue;
                case HandleKind.AssemblyReference:
                    return metadata.GetString(metadata.GetAssemblyReference((AssemblyReferenceHandle)handle).Name);
                case HandleKind.TypeSpecification:
                    handle = new GenericTypeFinder(metadata).Find((TypeSpecificationHandle)handle);
                    if (handle.IsNil) return null;
                    continue;
                default:
                    return null;
            }
        }
    }

    /// <summary>A field's or method's signature as text.</summary>
    public static string Signature(MetadataReader metadata, MemberReference member) => member.GetKind() == MemberReferenceKind.Field
        ? member.DecodeFieldSignature(SignatureText.Instance, null)
        : Method(member.DecodeMethodSignature(SignatureText.Instance, null));

    /// <summary>A method's signature as text.</summary>
    public static string Method(MethodSignature<string> signature) =>
        $"{(signature.GenericParameterCount > 0 ? $"`{signature.GenericParameterCount}" : "")}({string.Join(", ", signature.ParameterTypes)}) : {signature.ReturnType}";

    private static string Full(MetadataReader metadata, StringHandle space, StringHandle name) =>
        space.IsNil || metadata.GetString(space).Length == 0 ? metadata.GetString(name) : $"{metadata.GetString(space)}.{metadata.GetString(name)}";

    // Reads GENERICINST (CLASS | VALUETYPE) TypeDefOrRef... of a type specification.
    private sealed class GenericTypeFinder(MetadataReader metadata)
    {
        public EntityHandle Find(TypeSpecificationHandle handle)
        {
            var blob = metadata.GetBlobReader(metadata.GetTypeSpecification(handle).Signature);
            if (blob.ReadSignatureTypeCode() != SignatureTypeCode.GenericTypeInstance) return default;
            blob.ReadByte();
            return blob.ReadTypeHandle();
        }
    }
}

/// <summary>Writes signatures as text; assemblies are left out, for they may forward types.</summary>
internal sealed class SignatureText : ISignatureTypeProvider<string, object?>
{
    public static SignatureText Instance { get; } = new();

    public string GetPrimitiveType(PrimitiveTypeCode typeCode) => typeCode.ToString();
    public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) => PluginMetadata.TypeName(reader, handle);
    public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) => PluginMetadata.TypeName(reader, handle);
    public string GetTypeFromSpecification(MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind) => reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);
    public string GetSZArrayType(string elementType) => elementType + "[]";
    public string GetArrayType(string elementType, ArrayShape shape) => $"{elementType}[{new string(',', shape.Rank - 1)}]";
    public string GetByReferenceType(string elementType) => elementType + "&";
    public string GetPointerType(string elementType) => elementType + "*";
    public string GetPinnedType(string elementType) => elementType;
    public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments) => $"{genericType}<{string.Join(", ", typeArguments)}>";
    public string GetGenericMethodParameter(object? genericContext, int index) => $"!!{index}";
    public string GetGenericTypeParameter(object? genericContext, int index) => $"!{index}";
    public string GetFunctionPointerType(MethodSignature<string> signature) => $"method{PluginMetadata.Method(signature)}";
    public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired) => isRequired ? $"{unmodifiedType} modreq {modifier}" : unmodifiedType;
}
