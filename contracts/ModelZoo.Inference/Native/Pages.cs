using System.Runtime.InteropServices;

namespace ModelZoo.Inference.Native;

/// <summary>Pages of mapped files.</summary>
internal static unsafe partial class Pages
{
    private const int DontNeed = 4;

    /// <summary>
    /// Drops the whole pages within a block of a read-only mapped file from the process's memory; whoever reads them again gets them from the file. Linux and macOS; elsewhere the system drops them when it needs room.
    /// </summary>
    public static void Drop(void* address, long bytes)
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS()) return;
        var page = Environment.SystemPageSize;
        var start = ((nint)address + page - 1) / page * page;
        var end = ((nint)address + (nint)bytes) / page * page;
        if (end > start) Advise((void*)start, (nuint)(end - start), DontNeed);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
