// Tokens with Meaning, arXiv:2508.14292: decoding (turkish_decoder.py).
using System.Text;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Chooses the surface form of roots and affixes by vowel harmony, hard consonants and what follows. The id ranges are the published vocabulary's.</summary>
/// <param name="forms">Surface forms of each id, in the published order.</param>
internal sealed class TurkishDecoder(IReadOnlyDictionary<int, List<string>> forms)
{
    private const string Vowels = "aeıioöuüâ", Front = "eiöü", HardConsonants = "fstkçşhp", WhiteSpace = " \n\t";
    private const int UpperCase = 0, Unknown = 1;
    private const int FirstAffix = 20000;

    // Affixes: two forms by front and back, four by harmony, then those that look at hard consonants or at what follows.
    private const int FirstFourForms = 20013, With = 20023, LastPlace = 20025, FirstFlat = 20029, Ness = 20029, Small = 20030, Infinitive = 20031, Future = 20032;

    // Roots whose last letters soften before a vowel; a few that lose a vowel before the accusative; verbs that narrow before the present tense.
    private const int FirstSoft = 100, LastShort = 110, FirstNarrow = 2080, LastNarrow = 2315, Accusative = 20034, Present = 20041;

    private static readonly HashSet<string> FrontByUse = ["saat", "kilovatsaat", "ziraat", "itaat", "istikbal"];

    /// <summary>The text of ids.</summary>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var parts = new List<string>();
        for (var i = 0; i < ids.Length; i++)
        {
            var id = ids[i];
            if (id == UpperCase && i + 1 < ids.Length) parts.Add(PythonText.Capitalize(forms[ids[++i]][0]));
            else if (id == Unknown) parts.Add("▁u▁");
            else if (!forms.TryGetValue(id, out var texts)) parts.Add("▁");
            else if (texts.Count == 1) parts.Add(texts[0]);
            else if (id < FirstAffix) parts.Add(Root(ids, i, texts));
            else parts.Add(Affix(ids, i, texts, parts.LastOrDefault(part => part.Length > 0 && part.EnumerateRunes().All(Rune.IsLetter)) ?? ""));
        }

        return string.Concat(parts);
    }

    private string Root(ReadOnlySpan<int> ids, int i, List<string> texts)
    {
        if (i + 1 >= ids.Length) return texts[0];
        var id = ids[i];
        if (id is >= FirstSoft and < FirstNarrow)
            return StartsWithVowel(Next(ids, i)) ? texts[1] : id <= LastShort && ids[i + 1] == Accusative ? texts[2] : texts[0];
        return id is >= FirstNarrow and < LastNarrow && ids[i + 1] == Present ? texts[1] : texts[0];
    }

    private string Affix(ReadOnlySpan<int> ids, int i, List<string> texts, string stem)
    {
        var id = ids[i];
        var front = IsFront(stem) ? 1 : 0;
        var hard = stem.Length > 0 && HardConsonants.Contains(stem[^1]);
        var isLast = i + 1 >= ids.Length;
        var beforeVowel = !isLast && StartsWithVowel(Next(ids, i));
        var afterVowel = stem.Length > 0 && Vowels.Contains(stem[^1]);
        return id switch
        {
            < FirstFourForms => texts[front],
            < With => texts[Harmony(stem)],
            With => texts[front + (afterVowel && (isLast || WhiteSpace.Contains(Next(ids, i), StringComparison.Ordinal)) ? 2 : 0)],
            <= LastPlace => texts[front + (hard ? 2 : 0)],
            < FirstFlat => texts[Harmony(stem) + (hard ? 4 : 0)],
            Ness => isLast ? texts[0] : texts[Harmony(stem) + (beforeVowel ? 4 : 0)],
            Small => isLast ? texts[0] : texts[Harmony(stem) + (beforeVowel ? 8 : 0) + (hard ? 4 : 0)],
            Infinitive => isLast ? texts[0] : texts[front + (beforeVowel ? 2 : 0)],
            Future => texts[front + (beforeVowel ? 2 : 0) + (afterVowel ? 4 : 0)],
            _ => texts[0],
        };
    }

    private string Next(ReadOnlySpan<int> ids, int i) => forms[ids[i + 1]][0];

    private static bool StartsWithVowel(string word) => word.Length > 0 && Vowels.Contains(word[0]);

    private static char LastVowel(string word) => word.LastOrDefault(letter => Vowels.Contains(letter));

    private static bool IsFront(string word) => FrontByUse.Contains(word) || (LastVowel(word) is not '\0' and var vowel && Front.Contains(vowel));

    // Place of the form after a, ı, â; e, i; o, u; ö, ü or none.
    private static int Harmony(string word) => LastVowel(word) switch { 'a' or 'ı' or 'â' => 0, 'e' or 'i' => 1, 'o' or 'u' => 2, _ => 3 };
}
