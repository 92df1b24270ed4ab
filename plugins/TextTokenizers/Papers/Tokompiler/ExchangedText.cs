// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: where the tokens of an anonymous program come from.
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>A stretch of an anonymous program: text that was kept, or a name in place of another.</summary>
/// <param name="Start">First UTF-16 unit in the anonymous program.</param>
/// <param name="End">Unit after the last.</param>
/// <param name="From">First code point in the program.</param>
/// <param name="To">Code point after the last.</param>
/// <param name="IsName">True for a name that stands for the whole range, false for text that is the same in both.</param>
internal readonly record struct Stretch(int Start, int End, int From, int To, bool IsName);

/// <summary>Leads from places in an anonymous program back to the text.</summary>
internal sealed class ExchangedText
{
    private readonly string _code;
    private readonly IReadOnlyList<Stretch> _stretches;
    private readonly OffsetMap _units;      // of bytes of the anonymous program
    private readonly int[] _places;         // UTF-16 unit in the text of each code point of the program

    public ExchangedText(string text, Lexicalizer.Program program, string code, IReadOnlyList<Stretch> stretches)
    {
        (_code, _stretches, _units) = (code, stretches, new(Encoding.UTF8.GetBytes(code), OffsetUnit.Utf16));
        var letters = Scalars.Split(program.Code);
        _places = new int[letters.Length + 1];
        _places[0] = Encoding.UTF8.GetCharCount(Encoding.UTF8.GetBytes(text).AsSpan(0, program.Start));
        for (var i = 0; i < letters.Length; i++) _places[i + 1] = _places[i] + letters[i].Length;
    }

    /// <summary>What bytes of the anonymous program come from, in UTF-16 units of the text.</summary>
    public (int Start, int End) Origin(int start, int end)
    {
        if (_stretches.Count == 0) return (_places[0], _places[0]);
        (start, end) = _units.Convert(start, end);
        var (first, last) = (Find(start), Find(Math.Max(start, end - 1)));
        var from = _places[first.IsName ? first.From : first.From + Letters(first.Start, start)];
        return (from, Math.Max(from, _places[last.IsName ? last.To : last.From + Letters(last.Start, end)]));
    }

    // The last stretch that begins at the unit or before it.
    private Stretch Find(int unit)
    {
        var (low, high) = (0, _stretches.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (_stretches[middle].Start <= unit) low = middle;
            else high = middle - 1;
        }

        return _stretches[low];
    }

    private int Letters(int start, int end) => end <= start ? 0 : Scalars.Count(_code.AsSpan(start..Math.Min(end, _code.Length)));
}
