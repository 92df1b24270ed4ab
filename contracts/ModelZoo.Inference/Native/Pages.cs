using System.Runtime.InteropServices;

namespace ModelZoo.Inference.Native;

/// <summary>Pages of memory.</summary>
internal static unsafe partial class Pages
{
    private const int DontNeed = 4;
    private const int HugePages = 14;

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

    /// <summary>Asks for large pages under a block that is read from end to end in each run, which costs the processor fewer walks of its page table. Linux; elsewhere nothing.</summary>
    public static void PreferLarge(void* address, nuint bytes)
    {
        if (OperatingSystem.IsLinux()) Advise(address, bytes, HugePages);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
