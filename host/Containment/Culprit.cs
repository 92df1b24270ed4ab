using System.Diagnostics;
using System.Runtime.Loader;

namespace ModelZoo.Host.Containment;

/// <summary>Finds out whose fault an exception is.</summary>
internal static class Culprit
{
    /// <summary>The plugin's load context that the stack of the exception, or of one inside of it, leads through; null when it is nobody's but the host's.</summary>
    public static AssemblyLoadContext? Of(Exception? error)
    {
        for (; error is not null; error = error.InnerException)
        {
            foreach (var frame in new StackTrace(error).GetFrames())
            {
                if (frame.GetMethod()?.Module.Assembly is { } assembly && AssemblyLoadContext.GetLoadContext(assembly) is { IsCollectible: true } context) return context;
            }
        }

        return null;
    }
}
