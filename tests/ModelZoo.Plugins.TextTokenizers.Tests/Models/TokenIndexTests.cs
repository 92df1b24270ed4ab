using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Models;

public class TokenIndexTests
{
    private const int Tokens = 5000;

    [Theory]
    [InlineData(0, 1)]
    [InlineData((1 << 20) - 1 - Tokens, 0.9)]  // few bits are left for the tags
    public void TryFind_TokensAndOthers_EqualsTheTableWhereItTells(int firstId, double leastSure)
    {
        var random = new Random(3);
        var table = new TokenTable(0);
        for (var i = 0; i < Tokens; i++) table.Add(Next(random), firstId + i);
        var index = TokenIndex.Create(table)!;
        var tokens = index.Open();
        var (asked, sure) = (0, 0);
        foreach (var text in table.Ids.Select(id => table.BytesOf(id).ToArray()).Concat(Enumerable.Range(0, 50_000).Select(_ => Next(random))))
        {
            if (text.Length > PieceKey.MaxLength) continue;
            var key = PieceKey.Of(text, PieceKey.Whole);
            asked++;
            if (!tokens.TryFind(key, key.Hash(), out var id)) continue;
            sure++;
            Assert.Equal(table.TryGet(text, out var expected) ? expected : index.None, id);
        }

        Assert.InRange(sure, asked * leastSure * 0.999, asked);
    }

    [Fact]
    public void Create_IdsTooLarge_GivesNone()
    {
        var table = new TokenTable(0);
        table.Add("a"u8, 1 << 20);
        Assert.Null(TokenIndex.Create(table));
    }

    private static byte[] Next(Random random) => [.. Enumerable.Range(0, random.Next(1, 19)).Select(_ => (byte)random.Next('a', 'f'))];
}
