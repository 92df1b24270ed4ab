using ModelZoo.Contracts;

namespace ModelZoo.Host.Shards.Tests;

public class ShardTests
{
    [Theory]
    [InlineData("1/1", 1, 1)]
    [InlineData("2/8", 2, 8)]
    [InlineData("8/8", 8, 8)]
    public void Parse_IOfN_IsThatShard(string text, int index, int count) => Assert.Equal(new Shard(index, count), Shard.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("2")]
    [InlineData("/4")]
    [InlineData("1/")]
    [InlineData("1/4/2")]
    [InlineData("-1/4")]
    [InlineData(" 1/4")]
    [InlineData("1.0/4")]
    [InlineData("one/four")]
    [InlineData("99999999999/4")]
    public void Parse_OtherForm_IsRefused(string text) => Assert.Equal(ErrorCodes.OptionType, Assert.Throws<OptionsException>(() => Shard.Parse(text)).Code);

    [Theory]
    [InlineData("0/4")]
    [InlineData("5/4")]
    [InlineData("0/0")]
    [InlineData("1/0")]
    public void Parse_NoSuchShard_IsRefused(string text) => Assert.Equal(ErrorCodes.OptionRange, Assert.Throws<OptionsException>(() => Shard.Parse(text)).Code);

    [Fact]
    public void Parse_ToString_IsTheSame() => Assert.Equal("3/7", Shard.Parse("3/7").ToString());

    [Fact]
    public void Has_AnyCountAndBatch_DealsEveryPlaceOnceAndCutsNoBatch()
    {
        for (var count = 1; count < 9; count++)
        {
            for (var batch = 1; batch < 6; batch++)
            {
                var owners = Enumerable.Range(0, 60).Select(ordinal => Assert.Single(Enumerable.Range(1, count), index => new Shard(index, count).Has(ordinal, batch))).ToList();
                Assert.All(owners.Chunk(batch), neighbours => Assert.Single(neighbours.Distinct()));
                var shares = owners.Chunk(batch).GroupBy(neighbours => neighbours[0]).Select(share => share.Count()).ToList();
                Assert.InRange(shares.Max() - shares.Min(), 0, 1);
            }
        }
    }
}
