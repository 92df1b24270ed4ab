using System.Buffers;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>A text as UTF-8 in a rented array, with room behind it for loading vectors. Surrogates without a partner become U+FFFD.</summary>
internal readonly struct Utf8Buffer : IDisposable
{
    private readonly byte[] _bytes;

    public Utf8Buffer(ReadOnlySpan<char> text)
    {
        _bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length) + BytePairEncoder.Padding);
        Length = Encoding.UTF8.GetBytes(text, _bytes);
    }

    public Utf8Buffer(ReadOnlySpan<byte> utf8)
    {
        _bytes = ArrayPool<byte>.Shared.Rent(utf8.Length + BytePairEncoder.Padding);
        utf8.CopyTo(_bytes);
        Length = utf8.Length;
    }

    /// <summary>Number of bytes.</summary>
    public int Length { get; }

    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    /// <summary>The bytes, to keep until disposal.</summary>
    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, Length);

    /// <summary>The bytes from a place on, with what is readable behind them.</summary>
    public ReadOnlySpan<byte> From(int start) => _bytes.AsSpan(start);

    public void Dispose() => ArrayPool<byte>.Shared.Return(_bytes);
}
