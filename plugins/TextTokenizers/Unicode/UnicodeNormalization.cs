namespace ModelZoo.Plugins.TextTokenizers.Unicode;

/// <summary>A form of Unicode Standard Annex 15.</summary>
internal enum NormalizationForm
{
    Nfd,
    Nfkd,
    Nfc,
    Nfkc,
}

/// <summary>
/// A code point of a transformed text and how it stands to the text before: 0 replaces one code point, 1 is new, -N replaces one and swallows the N that follow.
/// </summary>
internal readonly record struct Change(int CodePoint, int Delta);

/// <summary>
/// Normalization with the changes told for each code point. .NET's own gives no alignment and is absent in globalization-invariant mode;
/// Hugging Face tokenizers besides normalizes by Unicode 9.0, which <c>legacy</c> asks for.
/// </summary>
internal sealed class UnicodeNormalization
{
    private const int SBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7, LCount = 19, VCount = 21, TCount = 28, NCount = VCount * TCount, SCount = LCount * NCount;

    private static readonly Lazy<UnicodeNormalization> LegacyTables = new(() => new(legacy: true)), CurrentTables = new(() => new(legacy: false));

    private readonly Dictionary<int, int[]> _canonical = [];
    private readonly Dictionary<int, int[]> _compatible = [];
    private readonly Dictionary<(int, int), int> _composites = [];
    private readonly Dictionary<int, byte> _classes = [];
    private readonly Lazy<ulong[]> _inert;

    /// <summary>Unicode 9.0.</summary>
    public static UnicodeNormalization Legacy => LegacyTables.Value;

    /// <summary>Unicode 16.0.</summary>
    public static UnicodeNormalization Current => CurrentTables.Value;

    private UnicodeNormalization(bool legacy)
    {
        _inert = new(MakeInert);
        foreach (var line in UnicodeResource.Read("normalization"))
        {
            if (legacy && line[0].EndsWith('+')) continue;
            switch (line[0][0])
            {
                case 'd': _canonical[UnicodeRanges.Hex(line[1])] = [.. line.Skip(2).Select(word => UnicodeRanges.Hex(word))]; break;
                case 'k': _compatible[UnicodeRanges.Hex(line[1])] = [.. line.Skip(2).Select(word => UnicodeRanges.Hex(word))]; break;
                case 'p': _composites[(UnicodeRanges.Hex(line[1]), UnicodeRanges.Hex(line[2]))] = UnicodeRanges.Hex(line[3]); break;
                default:
                    foreach (var (start, end) in UnicodeRanges.Parse(line.Skip(2)))
                    {
                        for (var c = start; c <= end; c++) _classes[c] = byte.Parse(line[1], System.Globalization.CultureInfo.InvariantCulture);
                    }

                    break;
            }
        }
    }

    /// <summary>Whether NFC leaves a text as it is, as far as its code points tell one by one; false when that takes a closer look.</summary>
    public bool IsSurelyNfc(ReadOnlySpan<byte> utf8)
    {
        for (var i = 0; i < utf8.Length;)
        {
            var c = CodePoints.Decode(utf8, i, out var length);
            if (c >= 0x300 && (c >= 0x10000 || (_inert.Value[c >> 6] >> c & 1) == 0)) return false;
            i += length;
        }

        return true;
    }

    /// <summary>The changes that make <paramref name="form"/> of a text.</summary>
    public List<Change> Normalize(IReadOnlyList<int> text, NormalizationForm form)
    {
        var decomposed = Decompose(text, form is NormalizationForm.Nfkd or NormalizationForm.Nfkc);
        return form is NormalizationForm.Nfd or NormalizationForm.Nfkd ? decomposed : Compose(decomposed);
    }

    // Code points of the basic plane that NFC keeps and that join nothing before them.
    private ulong[] MakeInert()
    {
        var seconds = _composites.Keys.Select(pair => pair.Item2).ToHashSet();
        var result = new ulong[0x10000 / 64];
        for (var c = 0; c < 0x10000; c++)
        {
            var joins = Class(c) != 0 || seconds.Contains(c) || c is >= VBase and <= TBase + TCount;
            var kept = !_canonical.ContainsKey(c) || Normalize([c], NormalizationForm.Nfc) is [var only] && only.CodePoint == c;
            if (!joins && kept) result[c >> 6] |= 1UL << c;
        }

        return result;
    }

    /// <summary>The canonical combining class.</summary>
    public byte Class(int c) => c < 0x300 ? (byte)0 : _classes.GetValueOrDefault(c);

    private List<Change> Decompose(IReadOnlyList<int> text, bool compatible)
    {
        var result = new List<Change>(text.Count);
        var pending = 0; // start of what is not yet in canonical order
        foreach (var c in text)
        {
            if (c < 0x80)
            {
                Push(c, true);
            }
            else if ((uint)(c - SBase) < SCount)
            {
                var s = c - SBase;
                Push(LBase + s / NCount, true);
                Push(VBase + s % NCount / TCount, false);
                if (s % TCount > 0) Push(TBase + s % TCount, false);
            }
            else if ((compatible && _compatible.TryGetValue(c, out var parts)) || _canonical.TryGetValue(c, out parts))
            {
                for (var i = 0; i < parts.Length; i++) Push(parts[i], i == 0);
            }
            else
            {
                Push(c, true);
            }
        }

        Sort();
        return result;

        void Push(int c, bool first)
        {
            if (Class(c) == 0) Sort();
            result.Add(new(c, first ? 0 : 1));
        }

        // Stable, by combining class; the starter at the front has class 0 and stays.
        void Sort()
        {
            for (var i = pending + 1; i < result.Count; i++)
            {
                var item = result[i];
                var order = Class(item.CodePoint);
                var j = i;
                for (; j > pending && Class(result[j - 1].CodePoint) > order; j--) result[j] = result[j - 1];
                result[j] = item;
            }

            pending = result.Count;
        }
    }

    private List<Change> Compose(List<Change> decomposed)
    {
        var result = new List<Change>(decomposed.Count);
        var buffer = new List<Change>();
        Change? composee = null;
        int? last = null;
        foreach (var item in decomposed)
        {
            var order = Class(item.CodePoint);
            if (composee is not { } base_)
            {
                if (order != 0) result.Add(item);
                else composee = item;
                continue;
            }

            var blocked = last is { } before && before >= order;
            if (!blocked && Compose(base_.CodePoint, item.CodePoint) is { } composite)
            {
                composee = new(composite, base_.Delta + item.Delta - 1);
            }
            else if (order == 0)
            {
                result.Add(base_);
                result.AddRange(buffer);
                buffer.Clear();
                composee = item;
                last = null;
            }
            else
            {
                buffer.Add(item);
                last = order;
            }
        }

        if (composee is { } end) result.Add(end);
        result.AddRange(buffer);
        return result;
    }

    private int? Compose(int a, int b)
    {
        if ((uint)(a - LBase) < LCount && (uint)(b - VBase) < VCount) return SBase + (a - LBase) * NCount + (b - VBase) * TCount;
        if ((uint)(a - SBase) < SCount && (a - SBase) % TCount == 0 && (uint)(b - TBase - 1) < TCount - 1) return a + b - TBase;
        return _composites.TryGetValue((a, b), out var composite) ? composite : null;
    }
}
