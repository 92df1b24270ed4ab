using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class ByteEvaluationTests
{
    [Fact]
    public async Task ObserveAsync_LongText_IsMeasuredInStretches()
    {
        var stretches = new List<string>();
        var observed = await ByteEvaluation.ObserveAsync(Texts("abcdefg", ""), 3, (bytes, _) =>
        {
            stretches.Add(Encoding.UTF8.GetString(bytes));
            return Task.FromResult(new MeasuredBytes([.. bytes.Select(value => (double)value)], [bytes.Length]));
        }).ToListAsync();
        Assert.Equal(["abc", "def", "g"], stretches);
        Assert.Equal([97.0, 98, 99, 100, 101, 102, 103], ((NamedTensors)observed[0].Output!).Values[ByteMetrics.Bits].As<double>().Span.ToArray());
        var (perByte, perPiece) = (ByteMetrics.BitsPerByte.Start(), ByteMetrics.BytesPerPiece.Start());
        foreach (var observation in observed)
        {
            perByte.Add(observation);
            perPiece.Add(observation);
        }

        Assert.Equal((100, 1, 1), (perByte.Result()!.Value, perByte.Result()!.Count, perByte.Result()!.LeftOut));
        Assert.Equal(7 / 3.0, perPiece.Result()!.Value);
    }

    [Fact]
    public void Bits_OfLogits_AreTheInformationOfTheTargets()
    {
        var logits = Tensor.Create([0f, 0, 0, 0, 0, 0, -1000, -1000], 2, 4);
        Assert.Equal([2, 1], ByteEvaluation.Bits(logits, [3, 1]));
    }

    private static async IAsyncEnumerable<Example> Texts(params string[] texts)
    {
        foreach (var (place, text) in texts.Index())
        {
            await Task.Yield();
            yield return new($"{place}", new Text(text)) { Ordinal = place };
        }
    }
}
