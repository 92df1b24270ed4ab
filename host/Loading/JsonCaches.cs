using System.Reflection;
using System.Text.Json;

namespace ModelZoo.Host.Loading;

/// <summary>
/// What System.Text.Json remembers of types. It would keep every plugin that read a configuration (dotnet/runtime#65323), so it is dropped with a plugin, by the method that .NET has for edited code.
/// </summary>
internal static class JsonCaches
{
    private static readonly MethodInfo? ClearCache = typeof(JsonSerializer).Assembly.GetType("System.Text.Json.JsonSerializerOptionsUpdateHandler")
        ?.GetMethod("ClearCache", BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static, [typeof(Type[])]);

    /// <summary>Forgets all types; they are learned again when needed.</summary>
    public static void Clear() => ClearCache?.Invoke(null, [null]);
}
