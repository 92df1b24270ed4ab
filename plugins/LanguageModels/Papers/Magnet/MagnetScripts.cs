using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Which script a text is in. The authors go by its language; here its letters say.</summary>
internal static class MagnetScripts
{
    /// <summary>Goes by the letters.</summary>
    public const string Auto = "auto";

    // The beginnings of the names that the authors and ISO 15924 give scripts, and the blocks of Unicode that they stand for. "deva" is what the authors call all Indic scripts.
    private static readonly (string[] Names, (int First, int Last)[] Blocks)[] Known =
    [
        (["lat"], [('A', 'Z'), ('a', 'z'), (0xC0, 0x24F), (0x1E00, 0x1EFF)]),
        (["cyr"], [(0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)]),
        (["deva", "ind", "beng", "telu", "taml", "gujr", "guru", "knda", "mlym", "orya", "sinh"], [(0x900, 0xDFF), (0xA8E0, 0xA8FF)]),
        (["arab"], [(0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF)]),
        (["gre"], [(0x370, 0x3FF), (0x1F00, 0x1FFF)]),
        (["heb"], [(0x590, 0x5FF)]),
        (["tha"], [(0xE00, 0xE7F)]),
        (["han", "cjk", "jpan", "kore", "chin"], [(0x1100, 0x11FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7AF), (0x20000, 0x3FFFF)]),
    ];

    /// <summary>The script asked for, or that of most letters; the first where there are none or they are of another.</summary>
    /// <param name="asked">A script, or <see cref="Auto"/>.</param>
    /// <param name="text">The text.</param>
    /// <param name="scripts">The model's scripts.</param>
    /// <exception cref="OptionsException">The model has no such script.</exception>
    public static string Choose(string asked, string text, IReadOnlyList<string> scripts)
    {
        if (asked != Auto)
            return scripts.Contains(asked) ? asked : throw new OptionsException(ErrorCodes.OptionRange, "The model has no such script.") { Where = "script", Expected = string.Join(", ", scripts.Prepend(Auto)), Found = asked };
        return scripts.MaxBy(script => Blocks(script) is { } blocks ? text.EnumerateRunes().Count(rune => blocks.Any(block => rune.Value >= block.First && rune.Value <= block.Last)) : 0)!;
    }

    private static (int First, int Last)[]? Blocks(string script) => Known.FirstOrDefault(known => known.Names.Any(name => script.StartsWith(name, StringComparison.OrdinalIgnoreCase))).Blocks;
}
