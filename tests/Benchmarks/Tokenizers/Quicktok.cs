using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace ModelZoo.Benchmarks.Tokenizers;

/// <summary>quicktok, built from its sources: its library for a first pass, its own <c>bench_file</c>, which leaves the first pass out, for later ones.</summary>
/// <param name="executable">Its <c>bench_file</c>, in the folder of its sources.</param>
internal sealed class Quicktok(string executable)
{
    private readonly string _folder = Path.GetDirectoryName(Path.GetFullPath(executable))!;

    private delegate nint LoadDir(byte[] folder, byte[] encoding, byte[] error, nint errorLength);

    private delegate int EncodeText(nint tokenizer, byte[] text, nint length, out nint ids, out nint count);

    private delegate void Free(nint memory);

    /// <summary>Seconds of the first pass of a new tokenizer over a text, by its C interface; NaN when it fails.</summary>
    public double FirstPass(string file, string encoding)
    {
        if (!NativeLibrary.TryLoad(Path.Combine(_folder, "build", "libquicktok.so"), out var library)) return double.NaN;
        var text = File.ReadAllBytes(file);
        var tokenizer = Function<LoadDir>(library, "qt_load_dir")(Zero(Path.Combine(_folder, "data")), Zero(encoding), new byte[256], 256);
        if (tokenizer == 0) return double.NaN;
        var encode = Function<EncodeText>(library, "qt_encode");
        var start = Stopwatch.GetTimestamp();
        var status = encode(tokenizer, text, text.Length, out var ids, out _);
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (status == 0) Function<Free>(library, "qt_ids_free")(ids);
        Function<Free>(library, "qt_tokenizer_free")(tokenizer);
        return status == 0 ? seconds : double.NaN;
    }

    /// <summary>Megabytes a second of later passes, by its own benchmark: "quicktok cl100k 97.12 MB/s ...".</summary>
    public double LaterPasses(string file, string encoding)
    {
        using var process = Process.Start(new ProcessStartInfo(executable, [file, encoding, Path.Combine(_folder, "data")]) { RedirectStandardOutput = true })!;
        var words = process.StandardOutput.ReadToEnd().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        var unit = Array.IndexOf(words, "MB/s");
        return unit > 0 ? double.Parse(words[unit - 1], CultureInfo.InvariantCulture) : double.NaN;
    }

    private static byte[] Zero(string text) => Encoding.UTF8.GetBytes(text + '\0');

    private static T Function<T>(nint library, string name) where T : Delegate => Marshal.GetDelegateForFunctionPointer<T>(NativeLibrary.GetExport(library, name));
}
