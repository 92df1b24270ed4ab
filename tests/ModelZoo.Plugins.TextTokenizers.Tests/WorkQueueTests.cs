using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Tests.Models;

namespace ModelZoo.Plugins.TextTokenizers.Tests;

public class WorkQueueTests
{
    [Theory]
    [InlineData(0, 4)]
    [InlineData(1, 4)]
    [InlineData(10_000, 3)]
    public void TryTake_UntilNoneAreLeft_HandsOutAllInOrderAndTheLastAlone(int count, int workers)
    {
        var queue = new WorkQueue(count, workers);
        var (next, last) = (0, 0);
        while (queue.TryTake(out var start, out var end))
        {
            Assert.Equal(next, start);
            (next, last) = (end, end - start);
        }

        Assert.Equal(count, next);
        Assert.Equal(Math.Min(count, 1), last);
    }

    [Fact]
    public void TryTake_ByManyThreads_HandsOutEachOnce()
    {
        const int Count = 100_000;
        var queue = new WorkQueue(Count, 4);
        var taken = new int[Count];
        Parallel.For(0, 4, _ =>
        {
            while (queue.TryTake(out var start, out var end))
            {
                for (var i = start; i < end; i++) Interlocked.Increment(ref taken[i]);
            }
        });
        Assert.All(taken, times => Assert.Equal(1, times));
    }

    [Fact]
    public void EncodeBatchToIds_ManyTexts_EqualsOneByOne()
    {
        var encoding = new TiktokenEncoding("test", new NaiveRanks(1, 700).Table(), TiktokenEncodings.Cl100kPattern, new Dictionary<string, int>());
        var random = new RandomText(5);
        string[] texts = [.. Enumerable.Range(0, 500).Select(_ => random.Next(20))];
        Assert.Equal(texts.Select(text => encoding.EncodeToIds(text)), encoding.EncodeBatchToIds(texts));
        Assert.Throws<OperationCanceledException>(() => encoding.EncodeBatchToIds(texts, cancel: new(canceled: true)));
    }
}
