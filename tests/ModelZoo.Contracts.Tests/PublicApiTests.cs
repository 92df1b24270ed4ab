using System.Reflection;
using System.Text;
using ModelZoo.Conformance;

namespace ModelZoo.Contracts.Tests;

/// <summary>Every public member of the contracts, as text: what plugins are compiled against changes only knowingly.</summary>
public class PublicApiTests
{
    private const string Approved = "PublicApi.approved.txt";

    [Fact]
    public void PublicApi_IsTheApprovedOne()
    {
        var path = Path.Combine(Folder(), Approved);
        var actual = Describe(typeof(IModelPlugin).Assembly);
        var approved = File.Exists(path) ? File.ReadAllText(path).ReplaceLineEndings("\n") : "";
        if (actual == approved) return;
        File.WriteAllText(Path.Combine(Folder(), "PublicApi.received.txt"), actual);
        Assert.Fail($"The public API changed. Compare PublicApi.received.txt with {Approved} in {Folder()}; when the change is meant, copy it over. First difference: {FirstDifference(approved, actual)}");
    }

    [Fact]
    public void PublicApi_NamesNoEngine()
    {
        var foreign = typeof(IModelPlugin).Assembly.GetReferencedAssemblies().Where(name => !name.Name!.StartsWith("System", StringComparison.Ordinal)).Select(name => name.Name);
        Assert.Empty(foreign);
    }

    private static string Describe(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(Kind(type)).Append(' ').Append(Name(type));
            var bases = type.GetInterfaces().Where(face => face.Assembly == assembly).Select(Name).Order(StringComparer.Ordinal).ToList();
            if (type.BaseType is { } parent && parent.Assembly == assembly) bases.Insert(0, Name(parent));
            text.Append(bases.Count > 0 ? " : " + string.Join(", ", bases) : "").Append('\n');
            foreach (var member in Members(type).Order(StringComparer.Ordinal)) text.Append("    ").Append(member).Append('\n');
        }

        return text.ToString();
    }

    private static IEnumerable<string> Members(Type type)
    {
        const BindingFlags flags = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        foreach (var field in type.GetFields(flags).Where(field => field.IsPublic && !field.IsSpecialName)) yield return type.IsEnum ? field.Name : $"{Name(field.FieldType)} {field.Name}";
        foreach (var constructor in type.GetConstructors(flags).Where(constructor => constructor.IsPublic || constructor.IsFamily)) yield return $"new({Parameters(constructor)})";
        foreach (var property in type.GetProperties(flags).Where(property => property.GetMethod is { } get && (get.IsPublic || get.IsFamily)))
            yield return $"{Name(property.PropertyType)} {property.Name} {{ get;{(property.SetMethod is { IsPublic: true } ? " init;" : "")} }}";
        foreach (var method in type.GetMethods(flags).Where(method => (method.IsPublic || method.IsFamily) && !method.IsSpecialName && !IsSynthesised(method)))
            yield return $"{(method.IsStatic ? "static " : "")}{Name(method.ReturnType)} {method.Name}{Generic(method)}({Parameters(method)})";
    }

    // What the compiler writes for records is not decided here.
    private static bool IsSynthesised(MethodInfo method) => method.Name is "<Clone>$" or "PrintMembers" or "Equals" or "GetHashCode" or "ToString" or "Deconstruct";

    private static string Kind(Type type) => type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct" : type.IsAbstract && type.IsSealed ? "static class" : type.IsAbstract ? "abstract class" : "class";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter => $"{Name(parameter.ParameterType)} {parameter.Name}"));

    private static string Generic(MethodInfo method) => method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";

    private static string Name(Type type)
    {
        if (type.IsByRef) return "ref " + Name(type.GetElementType()!);
        if (type.IsArray) return Name(type.GetElementType()!) + "[]";
        if (!type.IsGenericType) return type.Name;
        return $"{type.Name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>";
    }

    private static string FirstDifference(string approved, string actual)
    {
        var (a, b) = (approved.Split('\n'), actual.Split('\n'));
        for (var i = 0; i < Math.Max(a.Length, b.Length); i++)
        {
            if (a.ElementAtOrDefault(i) != b.ElementAtOrDefault(i)) return $"line {i + 1}, approved '{a.ElementAtOrDefault(i)}', now '{b.ElementAtOrDefault(i)}'";
        }

        return "none";
    }

    private static string Folder() => Repository.Path("tests", "ModelZoo.Contracts.Tests");
}
