using System.Runtime.InteropServices;
using System.Text;

namespace ModelZoo.Inference.Native;

/// <summary>Zero-terminated UTF-8 strings.</summary>
internal static unsafe class Utf8
{
    /// <summary>The managed copy of a native string; empty for none.</summary>
    public static string Read(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";
}

/// <summary>Native memory for strings and arrays that are handed to the engine together; freed together.</summary>
internal sealed unsafe class NativeArena : IDisposable
{
    private readonly List<nint> _blocks = [];

    /// <summary>A zero-terminated UTF-8 copy of <paramref name="text"/>.</summary>
    public byte* String(string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        var block = Array<byte>(length + 1);
        Encoding.UTF8.GetBytes(text, new Span<byte>(block, length));
        block[length] = 0;
        return block;
    }

    /// <summary>Copies of <paramref name="texts"/> and the array of their addresses.</summary>
    public byte** Strings(IReadOnlyList<string> texts)
    {
        var block = (byte**)Array<nint>(texts.Count);
        for (var i = 0; i < texts.Count; i++) block[i] = String(texts[i]);
        return block;
    }

    /// <summary>Room for <paramref name="count"/> elements, not cleared.</summary>
    public T* Array<T>(int count) where T : unmanaged
    {
        var block = NativeMemory.Alloc((nuint)Math.Max(count, 1), (nuint)sizeof(T));
        _blocks.Add((nint)block);
        return (T*)block;
    }

    /// <summary>A path as the engine takes it: UTF-16 on Windows, UTF-8 elsewhere.</summary>
    public void* Path(string path)
    {
        if (!OperatingSystem.IsWindows()) return String(path);
        var block = Array<char>(path.Length + 1);
        path.CopyTo(new Span<char>(block, path.Length));
        block[path.Length] = '\0';
        return block;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var block in _blocks) NativeMemory.Free((void*)block);
        _blocks.Clear();
    }
}
