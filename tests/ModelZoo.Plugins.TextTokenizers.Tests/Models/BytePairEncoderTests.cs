using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Models;

public class BytePairEncoderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Encode_RandomPieces_EqualsNaiveMerging(int seed)
    {
        var ranks = new NaiveRanks(seed, 700);
        var encoder = new BytePairEncoder(ranks.Table(), null, takesWholePieces: true);
        Assert.NotNull(PairBacktracker.TryMake(encoder));
        var texts = new RandomText(seed);
        for (var i = 0; i < 1200; i++)
        {
            var piece = Encoding.UTF8.GetBytes(texts.Next(i % 40 == 0 ? 200 : 8));
            if (piece.Length == 0) continue;
            var output = new IdBuffer();
            encoder.Encode(piece, output);
            Assert.Equal(ranks.Encode(piece), output.ToArray());
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public void Backtracker_RandomPieces_EqualsNaiveMerging(int seed)
    {
        var ranks = new NaiveRanks(seed, 500);
        var encoder = new BytePairEncoder(ranks.Table(), null, takesWholePieces: false);
        var backtracker = PairBacktracker.TryMake(encoder)!;
        var scratch = new EncodeScratch();
        var texts = new RandomText(seed);
        for (var i = 0; i < 1200; i++)
        {
            var piece = Encoding.UTF8.GetBytes(texts.Next(6) + "ab");
            var output = new IdBuffer();
            backtracker.Encode(piece, output, scratch);
            Assert.Equal(ranks.Merge(piece), output.ToArray());
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("ab")]
    public void Encode_HundredThousandOfTheSame_EqualsHeapMerging(string unit)
    {
        var encoder = new BytePairEncoder(new NaiveRanks(6, 400).Table(), null, takesWholePieces: true);
        var piece = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(unit, 100_000 / unit.Length)));
        var (fast, heap) = (new IdBuffer(), new IdBuffer());
        encoder.Encode(piece, fast);
        encoder.Merge(piece, heap);
        Assert.Equal(heap.ToArray(), fast.ToArray());
    }
}
