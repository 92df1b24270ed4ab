using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;

namespace ModelZoo.Host.Loading;

/// <summary>Finds what holds a load context that should be dead: handlers on static events and delegates in static fields, the usual cause.</summary>
internal static class UnloadRoots
{
    /// <summary>The roots that were found, or the usual suspects that cannot be seen from here.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static IReadOnlyList<string> Find(WeakReference context)
    {
        if (context.Target is not AssemblyLoadContext alive) return [];
        var found = SharedAssemblies.Contracts.Values.Append(typeof(object).Assembly).Append(typeof(Console).Assembly)
            .SelectMany(assembly => assembly.GetTypes()).Where(type => !type.ContainsGenericParameters)
            .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Where(field => typeof(Delegate).IsAssignableFrom(field.FieldType) && !field.IsLiteral && !field.IsDefined(typeof(ThreadStaticAttribute)))
            .Concat(typeof(AppDomain).GetFields(BindingFlags.Instance | BindingFlags.NonPublic).Where(field => typeof(Delegate).IsAssignableFrom(field.FieldType)))
            .SelectMany(field => Handlers(field).Where(handler => IsOf(handler, alive)).Select(handler => $"{handler.Method.DeclaringType?.FullName}.{handler.Method.Name} is a handler of the static event {field.DeclaringType?.FullName}.{field.Name}"))
            .Distinct().ToList();
        return found.Count > 0 ? found : ["nothing in static events; look for threads, timers, thread statics or caches of types that the plugin started and did not end"];
    }

    private static IEnumerable<Delegate> Handlers(FieldInfo field)
    {
        try
        {
            return (field.GetValue(field.IsStatic ? null : AppDomain.CurrentDomain) as Delegate)?.GetInvocationList() ?? [];
        }
        catch (Exception error) when (error is TargetInvocationException or TypeInitializationException or NotSupportedException or FieldAccessException)
        {
            return [];
        }
    }

    private static bool IsOf(Delegate handler, AssemblyLoadContext context) =>
        AssemblyLoadContext.GetLoadContext(handler.Method.Module.Assembly) == context
        || (handler.Target is { } target && AssemblyLoadContext.GetLoadContext(target.GetType().Assembly) == context);
}
