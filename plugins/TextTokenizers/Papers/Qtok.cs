// Qtok: A Comprehensive Framework for Evaluating Multilingual Tokenizer Quality in Large Language Models. Chelombitko, Safronov, Komissarov. arXiv:2410.12989. github.com/nup-csai/Qtok
// Published layout: char_to_byte.json (the byte alphabet), or the tokenizer.json files under audit. Deviations: none.
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Classifies tokens by what they are made of: control tokens, letters of a script, spaced or inner pieces, parts of characters.</summary>
internal sealed class Qtok
{
    /// <summary>The class of tokens that are parts of characters.</summary>
    public const string PartOfCharacter = "unicode_flanks";

    private const string Other = "*";
    private static readonly HashSet<string> MarkupTags = ["br", "h1", "h2", "h3", "h4", "h5", "h6", "b", "img", "li", "tr", "td", "p", "th", "u", "em"];

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("qtok", "Qtok: A Comprehensive Framework for Evaluating Multilingual Tokenizer Quality in Large Language Models", "2410.12989",
            ["Iaroslav Chelombitko", "Egor Safronov", "Aleksey Komissarov"], "nup-csai/Qtok", "MIT") with { Layouts = ["char_to_byte.json", "tokenizer.json files, for evaluate"] },
        source =>
        {
            var qtok = new Qtok();
            return new PaperModel(source).Compares(new(source), "token-classes").OnLines("classify", line =>
            {
                var (group, kind) = qtok.Classify(line.Text("token"));
                return Line.Of(("category", new[] { group, kind }));
            });
        });

    private readonly int[] _starts;
    private readonly (int End, string Word)[] _names;

    /// <summary>Reads the table of character names.</summary>
    public Qtok()
    {
        var ranges = UnicodeResource.Read("name-scripts").Select(range => (Start: UnicodeRanges.Hex(range[0]), End: UnicodeRanges.Hex(range[1]), Word: range[2])).ToArray();
        _starts = [.. ranges.Select(range => range.Start)];
        _names = [.. ranges.Select(range => (range.End, range.Word))];
    }

    /// <summary>Group and kind of a token, in which a space stands for the mark of word starts.</summary>
    public (string Group, string Kind) Classify(string token)
    {
        var letters = Scalars.Split(token);
        if (letters.Length == 1)
        {
            if (ByteAlphabet.ToByte(char.ConvertToUtf32(token, 0)) >= 0) return ("pure_unicode", "pure_unicode");
            return Name(token) switch { null => ("char_errors", "char_errors"), Other => ("char_other", "char_other"), var script => ("char_alpha", script) };
        }

        if (token.StartsWith(' ')) return Script(letters, letters.AsSpan(1)) switch { null => ("spaced_errors", "spaced_errors"), Other => ("spaced_other", "other"), var script => ("spaced_alpha", script) };
        if (IsControl(token)) return ("control_tokens", "control_token");
        if (token.StartsWith("<0y", StringComparison.Ordinal)) return (PartOfCharacter, PartOfCharacter);
        return Script(letters, letters) switch { null => ("inner_errors", "errors"), Other => ("inner_other", "other"), var script => ("inner_alpha", script) };
    }

    private static bool IsControl(string token)
    {
        bool Between(char open, char close) => token.StartsWith(open) && token.EndsWith(close);
        if (!Between('[', ']') && !(Between('<', '>') && !token.Contains("<0y", StringComparison.Ordinal))) return false;
        return !MarkupTags.Contains(PythonText.Lower(token[1..^1]).Replace("/", "", StringComparison.Ordinal));
    }

    // The script that all counted letters share; null when a letter of the token has no name.
    private string? Script(string[] letters, ReadOnlySpan<string> counted)
    {
        if (letters.Any(letter => Name(letter) is null)) return null;
        var script = counted.IsEmpty ? Other : Name(counted[0])!;
        foreach (var letter in counted)
        {
            if (Name(letter) != script) return Other;
        }

        return script;
    }

    private string? Name(string letter)
    {
        var codePoint = char.IsSurrogate(letter[0]) && letter.Length == 1 ? letter[0] : char.ConvertToUtf32(letter, 0);
        var index = Array.BinarySearch(_starts, codePoint);
        index = index >= 0 ? index : ~index - 1;
        return index >= 0 && codePoint <= _names[index].End ? _names[index].Word : null;
    }
}
