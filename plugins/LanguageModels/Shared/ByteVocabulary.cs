using System.Security.Cryptography;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Ids of bytes, with marks before, after or among them.</summary>
/// <param name="Size">Number of ids.</param>
/// <param name="Offset">Id of byte 0; the others follow.</param>
/// <param name="Start">Id that begins a sequence; null when none does.</param>
/// <param name="End">Id that ends a sequence; null when none does.</param>
internal sealed record ByteVocabulary(int Size, int Offset = 0, int? Start = null, int? End = null)
{
    private const int Bytes = 256;

    /// <summary>What the ids mean, for tokens of <paramref name="model"/>.</summary>
    public TokenSpace Space(string model) => new(model, TokenLayout.Flat, [Size], Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ToString()))));

    /// <summary>The ids of a text's bytes, without marks; a lone surrogate is written as U+FFFD.</summary>
    public int[] Encode(string text) => Encode(Encoding.UTF8.GetBytes(text));

    /// <summary>The ids of bytes, without marks.</summary>
    public int[] Encode(ReadOnlySpan<byte> bytes)
    {
        var ids = new int[bytes.Length];
        for (var i = 0; i < ids.Length; i++) ids[i] = bytes[i] + Offset;
        return ids;
    }

    /// <summary>The ids with the start before them, where there is one.</summary>
    public int[] Begin(ReadOnlySpan<int> ids) => Start is { } start ? [start, .. ids] : [.. ids];

    /// <summary>The byte of an id; null for a mark. Where an id is both, such as byte 254 that no UTF-8 has, it is the mark.</summary>
    public byte? ByteOf(int id) => id == Start || id == End || id < Offset || id >= Offset + Bytes ? null : (byte)(id - Offset);

    /// <summary>The text of ids, marks left out; bytes that are no UTF-8 become U+FFFD.</summary>
    public string Text(ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(Decode(ids));

    /// <summary>The bytes of ids, marks left out.</summary>
    public byte[] Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>(ids.Length);
        foreach (var id in ids)
        {
            if (ByteOf(id) is { } value) bytes.Add(value);
        }

        return [.. bytes];
    }
}
