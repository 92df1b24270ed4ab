using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// Room for values of a type of this assembly, in a rented array of bytes. The shared pool of such a type itself would hold on to the assembly and keep the plugin from being unloaded.
/// </summary>
/// <typeparam name="T">The values.</typeparam>
internal readonly struct RentedArray<T>(int length) : IDisposable where T : unmanaged
{
    private readonly byte[] _bytes = ArrayPool<byte>.Shared.Rent(length * Unsafe.SizeOf<T>());

    /// <summary>The values, not cleared.</summary>
    public Span<T> Span => MemoryMarshal.Cast<byte, T>(_bytes.AsSpan())[..length];

    public void Dispose()
    {
        if (_bytes is not null) ArrayPool<byte>.Shared.Return(_bytes);
    }
}
