using System.Text;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Models;

public class BytePairEncoderTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, (1 << 20) - 1000)]
    [InlineData(3, 1 << 23)]
    public void Encode_RandomPieces_EqualsNaiveMerging(int seed, int firstId)
    {
        var ranks = new NaiveRanks(seed, 700);
        var encoder = new BytePairEncoder(ranks.Table(firstId), null, takesWholePieces: true);
        var texts = new RandomText(seed);
        for (var i = 0; i < 1200; i++)
        {
            var piece = Encoding.UTF8.GetBytes(texts.Next(i % 40 == 0 ? 200 : 8));
            if (piece.Length == 0) continue;
            var output = new IdBuffer();
            encoder.Encode(piece, output);
            Assert.Equal(ranks.Encode(piece).Select(id => firstId + id), output.ToArray());
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

    [Theory]
    [InlineData(7, "ab")]
    [InlineData(8, "the ")]
    [InlineData(9, "=-\u00E9")]
    public void Encode_LongRandomPiece_EqualsHeapMerging(int seed, string letters)
    {
        var encoder = new BytePairEncoder(new NaiveRanks(seed, 900).Table(), null, takesWholePieces: true);
        var random = new Random(seed);
        for (var i = 0; i < 40; i++)
        {
            var piece = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, random.Next(100, 3000)).Select(_ => letters[random.Next(letters.Length)])));
            var (fast, heap) = (new IdBuffer(), new IdBuffer());
            encoder.Encode(piece, fast);
            encoder.Merge(piece, heap);
            Assert.Equal(heap.ToArray(), fast.ToArray());
        }
    }

    // Of "/****" the first windows are too short for the token of 64 stars, which merges with what was cut off before it.
    [Theory]
    [InlineData(70)]
    [InlineData(71)]
    [InlineData(200)]
    [InlineData(1000)]
    public void Encode_TokensLongerThanAWindow_EqualsHeapMerging(int stars)
    {
        var table = new TokenTable(300);
        for (var i = 0; i < 256; i++) table.Add([(byte)i], i);
        var id = 256;
        for (var length = 2; length <= 128; length *= 2) table.Add(Encoding.UTF8.GetBytes(new string('*', length)), id++);
        table.Add(Encoding.UTF8.GetBytes("/" + new string('*', 64)), id++);
        table.Add(Encoding.UTF8.GetBytes("-/" + new string('*', 64)), id);
        var encoder = new BytePairEncoder(table, null, takesWholePieces: true);
        foreach (var before in new[] { "/", "-/", "--/", "*-/" })
        {
            var piece = Encoding.UTF8.GetBytes(before + new string('*', stars) + "\n");
            var (fast, heap) = (new IdBuffer(), new IdBuffer());
            encoder.Encode(piece, fast);
            encoder.Merge(piece, heap);
            Assert.Equal(heap.ToArray(), fast.ToArray());
        }
    }

    [Fact]
    public void EncodeOrdinary_MetBefore_AllocatesTheResultOnly()
    {
        var encoding = new TiktokenEncoding("test", new NaiveRanks(1, 700).Table(), TiktokenEncodings.Cl100kPattern, new Dictionary<string, int>());
        var text = string.Concat(Enumerable.Range(0, 50).Select(i => $"the words and 1234 numbers, {i} हिन्दी 中文 'll \n\n" + new string('=', 300)));
        var ids = encoding.EncodeOrdinary(text);
        encoding.CountTokens(text);
        long counting = long.MaxValue, encodingThem = long.MaxValue;
        for (var attempt = 0; attempt < 5; attempt++)   // a collection in between may empty the shared pools
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var count = encoding.CountTokens(text);
            var counted = GC.GetAllocatedBytesForCurrentThread();
            ids = encoding.EncodeOrdinary(text);
            var encoded = GC.GetAllocatedBytesForCurrentThread();
            Assert.Equal(ids.Length, count);
            (counting, encodingThem) = (Math.Min(counting, counted - before), Math.Min(encodingThem, encoded - counted));
        }

        Assert.Equal(0, counting);
        Assert.InRange(encodingThem, ids.Length * sizeof(int), ids.Length * sizeof(int) + 24);
    }
}
