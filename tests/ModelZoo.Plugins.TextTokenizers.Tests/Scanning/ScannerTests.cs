using System.Text;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;
using ModelZoo.Plugins.TextTokenizers.Regex;
using ModelZoo.Plugins.TextTokenizers.Scanning;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Scanning;

public class ScannerTests
{
    [Fact]
    public void Gpt2_RandomText_CutsLikeThePattern() => Compare<Gpt2Scanner>(ByteLevelPreTokenizer.Gpt2Pattern, TiktokenEncodings.R50kPattern);

    [Fact]
    public void Cl100k_RandomText_CutsLikeThePattern() => Compare<Cl100kScanner<KnownPatterns.Cl100kOptions>>(TiktokenEncodings.Cl100kPattern);

    [Fact]
    public void Llama3_RandomText_CutsLikeThePattern() => Compare<Cl100kScanner<KnownPatterns.Llama3Options>>(TiktokenEncodings.Llama3Pattern);

    [Fact]
    public void Qwen_RandomText_CutsLikeThePattern() => Compare<Cl100kScanner<KnownPatterns.QwenOptions>>(TiktokenEncodings.QwenPattern);

    [Fact]
    public void O200k_RandomText_CutsLikeThePattern() => Compare<O200kScanner<KnownPatterns.Llama3Options>>(TiktokenEncodings.O200kPattern);

    [Fact]
    public void MistralNemo_RandomText_CutsLikeThePattern() => Compare<O200kScanner<KnownPatterns.MistralNemoOptions>>(
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+");

    private static void Compare<TScanner>(params string[] patterns) where TScanner : struct, IPieceScanner
    {
        foreach (var pattern in patterns)
        {
            Assert.NotEqual(KnownPattern.None, KnownPatterns.Find(pattern));
            var regex = new TextRegex(pattern, RegexFlavor.Rust);
            var texts = new RandomText(7);
            for (var i = 0; i < 1500; i++)
            {
                var text = texts.Next(i % 10 == 0 ? 60 : 12);
                var utf8 = Encoding.UTF8.GetBytes(text);
                var expected = new List<int>();
                for (var search = regex.Matches(utf8); search.Next(out _, out var end);) expected.Add(end);
                var actual = new List<int>();
                for (var at = 0; at < utf8.Length;) actual.Add(at = TScanner.Next(utf8, at));
                AssertSame(text, expected, actual);
                AssertSame(text, expected, CutByBlocks<TScanner>(utf8));
            }
        }
    }

    // What stands behind the text must not matter.
    private static List<int> CutByBlocks<TScanner>(byte[] text) where TScanner : struct, IPieceScanner
    {
        var padded = new byte[text.Length + CharacterBlock.Size];
        Array.Fill(padded, (byte)'s');
        text.CopyTo(padded, 0);
        var result = new List<int>();
        var ends = new int[2 * CharacterBlock.Size];
        for (var position = 0; position < text.Length;) result.AddRange(ends.AsSpan(0, PieceCutter.Cut<TScanner>(padded.AsSpan(0, text.Length), ref position, ends)));
        return result;
    }

    private static void AssertSame(string text, List<int> expected, List<int> actual) =>
        Assert.True(expected.SequenceEqual(actual), $"{System.Text.Json.JsonSerializer.Serialize(text)}: [{string.Join(' ', expected)}] but [{string.Join(' ', actual)}]");
}
