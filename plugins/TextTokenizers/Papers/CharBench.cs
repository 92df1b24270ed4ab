// CharBench: Evaluating the Role of Tokenization in Character-Level Tasks. Uzan, Pinter. arXiv:2508.02591. github.com/omriuz/CharBench
// Published layout: none; items are made from words. Deviations: the draw of words and characters is the caller's.
using System.Globalization;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Questions about the characters of a word, with their answers.</summary>
internal static class CharBench
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("charbench", "CharBench: Evaluating the Role of Tokenization in Character-Level Tasks", "2508.02591", ["Omri Uzan", "Yuval Pinter"], "omriuz/CharBench", "MIT"),
        source => new PaperModel(source).OnLines("item", line =>
        {
            var (question, answer) = Item(line.Text("task"), line.Text("word"), line.Find("character")?.AsText() ?? "");
            return Line.Of(("question", question), ("answer", answer));
        }));

    /// <summary>Question and answer of a task; places count code points from 0.</summary>
    /// <exception cref="ModelZooException">The task is unknown, or the character is not in the word.</exception>
    public static (string Question, string Answer) Item(string task, string word, string character)
    {
        var letters = Scalars.Split(word);
        var (question, answer) = task switch
        {
            "count_character_frequency" => ($"How many times does the character '{character}' appear in the string '{word}'?", letters.Count(letter => letter == character)),
            "count_unique_chars" => ($"How many unique characters appear in the string '{word}'?", letters.Distinct().Count()),
            "find_first_occurrence" =>
                ($"What is the index of the first occurrence of the character '{character}' in the string '{word}'?\nStart counting from 0.", Array.IndexOf(letters, character)),
            "find_last_occurrence" =>
                ($"What is the index of the last occurrence of the character '{character}' in the string '{word}'?\nStart counting from 0.", Array.LastIndexOf(letters, character)),
            _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"CharBench has no task '{task}'."),
        };
        return answer >= 0 ? (question, answer.ToString(CultureInfo.InvariantCulture))
            : throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The character '{character}' is not in '{word}'.");
    }
}
