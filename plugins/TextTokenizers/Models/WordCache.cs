using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>The ids of words that one thread met. A word and its ids fill two cache lines; the one met longest ago gives way. Of bounded size; nothing is allocated once it is made.</summary>
internal sealed class WordCache
{
    private const int SlotBits = 15;

    /// <summary>Longest word that is kept, in bytes.</summary>
    public const int MaxLength = 60;

    /// <summary>Most ids of a word that is kept.</summary>
    public const int MaxIds = 16;

    [InlineArray(MaxLength)]
    private struct Text
    {
        private byte _first;
    }

    [InlineArray(MaxIds)]
    private struct Tokens
    {
        private int _first;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Slot
    {
        public short Length; // with the place above it; 0 where nothing is kept
        public short Count;
        public Text Text;
        public Tokens Ids;
    }

    private readonly Slot[] _slots = GC.AllocateArray<Slot>(1 << SlotBits);

    /// <summary>Appends the ids of a word that is kept.</summary>
    /// <param name="word">The word, at most <see cref="MaxLength"/> bytes.</param>
    /// <param name="place">What else its ids depend on: 0 to 127.</param>
    /// <param name="hash">Where to <see cref="Keep"/> it otherwise.</param>
    /// <param name="output">Where the ids go.</param>
    public bool TryGet(ReadOnlySpan<byte> word, int place, out ulong hash, IdBuffer output)
    {
        hash = Hash(word, place);
        var length = Key(word, place);
        ref var slot = ref SlotAt(hash);
        if (!IsSame(in slot, word, length))
        {
            slot = ref SlotAt(Other(hash));
            if (!IsSame(in slot, word, length)) return false;
        }

        ((ReadOnlySpan<int>)slot.Ids)[..slot.Count].CopyTo(output.Room(slot.Count));
        output.Advance(slot.Count);
        return true;
    }

    /// <summary>Keeps the ids of a word, at most <see cref="MaxIds"/>.</summary>
    public void Keep(ReadOnlySpan<byte> word, int place, ulong hash, ReadOnlySpan<int> ids)
    {
        ref var slot = ref SlotAt(hash);
        if (slot.Length != 0) SlotAt(Other(hash)) = slot;
        slot.Length = Key(word, place);
        slot.Count = (short)ids.Length;
        word.CopyTo(slot.Text);
        ids.CopyTo(slot.Ids);
    }

    private static short Key(ReadOnlySpan<byte> word, int place) => (short)(word.Length | place << 8);

    private static ulong Other(ulong hash) => hash ^ 1UL << 64 - SlotBits;

    private static bool IsSame(in Slot slot, ReadOnlySpan<byte> word, short key) => slot.Length == key && ((ReadOnlySpan<byte>)slot.Text)[..word.Length].SequenceEqual(word);

    private static ulong Hash(ReadOnlySpan<byte> word, int place)
    {
        var hash = (ulong)(word.Length | place << 8) * 0x9E3779B97F4A7C15UL;
        while (word.Length >= 8)
        {
            hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(word));
            word = word[8..];
        }

        ulong rest = 0;
        if (word.Length >= 4)
        {
            rest = BinaryPrimitives.ReadUInt32LittleEndian(word) | (ulong)BinaryPrimitives.ReadUInt32LittleEndian(word[^4..]) << 32;
        }
        else if (word.Length > 0)
        {
            rest = word[0] | (ulong)word[word.Length >> 1] << 8 | (ulong)word[^1] << 16;
        }

        return Mix(hash ^ rest);
    }

    private static ulong Mix(ulong value)
    {
        var high = Math.BigMul(value ^ 0x2545F4914F6CDD1DUL, 0xD6E8FEB86659FD93UL, out var low);
        return high ^ low;
    }

    private ref Slot SlotAt(ulong hash) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_slots), (nint)(hash >> 64 - SlotBits));
}
