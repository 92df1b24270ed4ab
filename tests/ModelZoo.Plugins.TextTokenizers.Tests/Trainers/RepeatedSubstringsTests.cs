namespace ModelZoo.Plugins.TextTokenizers.Trainers.Tests;

public sealed class RepeatedSubstringsTests
{
    [Theory]
    [InlineData(1, 40, 2, 3)]
    [InlineData(2, 300, 3, 16)]
    [InlineData(3, 500, 40, 5)]
    [InlineData(4, 400, 5000, 16)]
    [InlineData(5, 1, 1, 4)]
    [InlineData(6, 60, 1, 16)]
    public void Find_RandomText_IsWhatTryingEverySubstringFinds(int seed, int length, int alphabet, int longest)
    {
        var random = new Random(seed);
        int[] text = [.. Enumerable.Range(0, length).Select(_ => random.Next(alphabet))];
        var found = RepeatedSubstrings.Find(text, longest).Select(item => (Text: Words(text, item.Start, item.Length), item.Count)).Order().ToArray();
        Assert.Equal(Naive(text, longest).Order(), found);
    }

    [Fact]
    public void Find_Nothing_FindsNothing() => Assert.Empty(RepeatedSubstrings.Find([], 8));

    // Substrings that occur twice or more, not always followed by the same character.
    private static IEnumerable<(string Text, int Count)> Naive(int[] text, int longest)
    {
        for (var length = 1; length <= longest; length++)
        {
            foreach (var same in Enumerable.Range(0, Math.Max(0, text.Length - length + 1)).GroupBy(start => Words(text, start, length)))
            {
                if (same.Count() > 1 && same.Select(start => start + length < text.Length ? text[start + length] : -1).Distinct().Count() > 1) yield return (same.Key, same.Count());
            }
        }
    }

    private static string Words(int[] text, int start, int length) => string.Join(' ', text.Skip(start).Take(length));
}
