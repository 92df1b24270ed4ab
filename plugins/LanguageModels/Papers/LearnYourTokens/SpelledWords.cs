using System.Text;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>A word among the ids of a text.</summary>
/// <param name="Start">Its first id.</param>
/// <param name="Length">Its ids; none for white space before the first word.</param>
/// <param name="Tail">Ids of the white space behind it.</param>
internal readonly record struct SpelledWord(int Start, int Length, int Tail);

/// <summary>Texts as ids of characters, divided into words.</summary>
internal static class SpelledWords
{
    // What dataset.py sets apart, beside a closing brace with its colon.
    private const string Apart = "-{,;.!'?";

    /// <summary>Ids of a text and its words, which with the white space behind them are all of it. Longer words than the canvas are cut.</summary>
    /// <param name="text">The text.</param>
    /// <param name="vocabulary">Ids of characters. White space that it lacks is a blank, as in the authors' data.</param>
    /// <param name="canvas">Characters of the longest word.</param>
    /// <param name="punctuation">Whether punctuation is set apart, as words of its own.</param>
    public static (int[] Ids, IReadOnlyList<SpelledWord> Words) Of(string text, CharacterVocabulary vocabulary, int canvas, bool punctuation)
    {
        var (ids, words, runes) = (new List<int>(text.Length), new List<SpelledWord>(), text.EnumerateRunes().ToArray());
        var (isOpen, apart) = (false, 0);
        for (var i = 0; i < runes.Length; i++)
        {
            if (Rune.IsWhiteSpace(runes[i]))
            {
                var blank = vocabulary.Find(runes[i].ToString()) is null && vocabulary.Find(" ") is { } known ? [known] : vocabulary.Encode(runes[i].ToString());
                if (words.Count == 0) words.Add(default);
                words[^1] = words[^1] with { Tail = words[^1].Tail + blank.Length };
                ids.AddRange(blank);
                isOpen = false;
                continue;
            }

            if (apart == 0 && punctuation && (apart = ApartAt(runes, i)) > 0) isOpen = false;
            foreach (var id in vocabulary.Encode(runes[i].ToString()))
            {
                if (!isOpen || words[^1].Length == canvas) words.Add(new(ids.Count, 0, 0));
                isOpen = true;
                words[^1] = words[^1] with { Length = words[^1].Length + 1 };
                ids.Add(id);
            }

            if (apart > 0 && --apart == 0) isOpen = false;
        }

        return ([.. ids], words);
    }

    // Characters from here on that are a word of their own.
    private static int ApartAt(Rune[] runes, int i) =>
        Apart.Contains(runes[i].ToString(), StringComparison.Ordinal) ? 1 : runes[i].Value == '}' && i + 1 < runes.Length && runes[i + 1].Value == ':' ? 2 : 0;
}
