namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>A piece that stands in a sentence, as one number. Nodes come by start, then length, and each place has one at least: where a piece starts is known from those before it.</summary>
internal readonly struct LatticeNode
{
    /// <summary>Highest number of a piece.</summary>
    public const int MaxId = (1 << 32 - IdShift) - 1;

    /// <summary>Most characters of a piece.</summary>
    public const int MaxLength = LastBit - 1;

    private const int LastBit = 1 << 7;
    private const int IdShift = 8;

    private readonly uint _bits;

    /// <param name="id">The piece's number; 0 is the unknown piece.</param>
    /// <param name="length">Its characters.</param>
    public LatticeNode(int id, int length) => _bits = (uint)id << IdShift | (uint)length;

    private LatticeNode(uint bits) => _bits = bits;

    /// <summary>The piece's number; 0 is the unknown piece.</summary>
    public int Id => (int)(_bits >> IdShift);

    /// <summary>The piece's characters.</summary>
    public int Length => (int)_bits & MaxLength;

    /// <summary>Whether the next node starts at the next character.</summary>
    public bool IsLast => (_bits & LastBit) != 0;

    /// <summary>The same node as the last one at its place.</summary>
    public LatticeNode AsLast() => new(_bits | LastBit);
}
