namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What begins a patch.</summary>
public enum BltPatching
{
    /// <summary>An entropy above the threshold.</summary>
    Entropy,
    /// <summary>What stands behind a character that is no letter or digit.</summary>
    Space,
    /// <summary>Every few bytes.</summary>
    Static,
    /// <summary>Every byte.</summary>
    Byte,
}

/// <summary>When a patch begins (section 2; the authors' <c>Patcher</c>). The first two ids always begin one: what is predicted at an id knows the patches that end before its next, and the first has none.</summary>
/// <param name="Mode">What begins a patch.</param>
/// <param name="Threshold">Entropy, in nats, above which one begins behind an id.</param>
/// <param name="ThresholdAdd">How much entropy must have risen besides; null for no such condition.</param>
/// <param name="Monotonic">Whether <paramref name="Threshold"/> is how much entropy must have risen.</param>
/// <param name="Size">Ids of each patch but the first where all are equal.</param>
/// <param name="Longest">Most ids of a patch; null for no limit.</param>
internal sealed record BltPatchRule(BltPatching Mode, double Threshold, double? ThresholdAdd = null, bool Monotonic = false, int Size = 4, int? Longest = null)
{
    /// <summary>Whether entropies are asked for.</summary>
    public bool IsEntropic => Mode == BltPatching.Entropy;

    /// <summary>Cuts a sequence that comes id by id.</summary>
    public BltCutter Begin() => new(this);

    /// <summary>Lengths of the patches of a whole sequence, the id that follows it among them or not.</summary>
    public IReadOnlyList<long> Lengths(ReadOnlySpan<long> ids, ReadOnlySpan<float> entropies, bool hasNext)
    {
        var (cutter, lengths, length) = (Begin(), new List<long>(), 0L);
        for (var i = 0; i < ids.Length; i++)
        {
            length++;
            if (!cutter.Take((int)ids[i], entropies[i]) || (i == ids.Length - 1 && !hasNext)) continue;
            lengths.Add(length);
            length = 0;
        }

        if (hasNext) length++;
        if (length > 0) lengths.Add(length);
        return lengths;
    }
}

/// <summary>Cuts a sequence id by id: where a patch begins depends on what came before, and on nothing later.</summary>
internal sealed class BltCutter(BltPatchRule rule)
{
    private const int Offset = 4;

    private float _entropy;
    private bool _wasMark;
    private int _place, _length;

    /// <summary>Takes the next id and its entropy; tells whether a patch begins behind it.</summary>
    public bool Take(int id, float entropy)
    {
        var isMark = IsMark(id);
        var begins = _place == 0 || rule.Mode switch
        {
            BltPatching.Entropy => Rises(entropy),
            BltPatching.Space => id < Offset || (isMark && !_wasMark),
            BltPatching.Static => _place % rule.Size == 0,
            _ => true,
        };
        begins |= ++_length == rule.Longest;
        if (begins) _length = 0;
        (_entropy, _wasMark) = (entropy, isMark);
        _place++;
        return begins;
    }

    // Where entropies are compared, the second id is the first that counts: a patch always begins behind it, and with both conditions never behind the third.
    private bool Rises(float entropy)
    {
        var rise = entropy - _entropy;
        if (rule.Monotonic) return _place == 1 || rise > (float)rule.Threshold;
        if (rule.ThresholdAdd is { } more) return _place == 1 || (_place > 2 && rise > (float)more && entropy > (float)rule.Threshold);
        return entropy > (float)rule.Threshold;
    }

    // What is no letter, digit or later byte of a character.
    private static bool IsMark(int id) => (id - Offset) is < '0' or (> '9' and < 'A') or (> 'Z' and < 'a') or (> 'z' and < 0x80) or >= 0xC0;
}
