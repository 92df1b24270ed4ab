using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Tests.Features;

public sealed class MelTests
{
    // Five frames and one of zeros: the second of each group says whether it was heard, and a short last group is dropped.
    [Theory]
    [InlineData(1, 6, new long[0])]
    [InlineData(2, 3, new long[] { 1, 1, 0 })]
    [InlineData(3, 2, new long[] { 1, 1 })]
    [InlineData(4, 1, new long[] { 1 })]
    [InlineData(5, 1, new long[] { 1 })]
    public async Task KaldiFbank_FramesInGroups_AreTheLibrarys(int stride, int groups, long[] mask)
    {
        var (one, grouped) = (await FbankAsync(1), await FbankAsync(stride));
        var (frames, fbank) = (one.Tensor("fbank").As<double>(), grouped.Tensor("fbank").As<double>());
        Assert.Equal([1L, groups, 8 * stride], fbank.Shape.ToArray());
        Assert.Equal(frames.Span[..(groups * stride * 8)].ToArray(), fbank.Span.ToArray());
        Assert.All(frames.Span[40..].ToArray(), value => Assert.Equal(0, value));
        Assert.Equal(mask, grouped.Tensor("fbank_attention_mask").As<long>().Span.ToArray());
    }

    // Filters reach to 8 kHz at any rate; those beyond half of it see nothing.
    [Fact]
    public async Task Whisper_LowRate_HasTheSameFilters()
    {
        await using var model = await OpenAsync();
        var results = await model.Find<IReferenceCalls>()!.CallAsync("whisper", new CallArguments()
            .With("audio", Tensor.Create(new float[800], 1, 800)).With("sample_rate", JsonElement.Parse("8000")).With("n_mels", JsonElement.Parse("20")));
        var filters = results.Tensor("whisper_filters").As<double>();
        Assert.Equal([201L, 20], filters.Shape.ToArray());
        double[] sums = [.. Enumerable.Range(0, 20).Select(m => Enumerable.Range(0, 201).Sum(k => filters[k, m]))];
        Assert.All(sums[..16], sum => Assert.True(sum > 0));
        Assert.All(sums[17..], sum => Assert.Equal(0, sum));
    }

    private static async Task<CallResults> FbankAsync(int stride)
    {
        await using var model = await OpenAsync();
        return await model.Find<IReferenceCalls>()!.CallAsync("kaldi_fbank", new CallArguments()
            .With("audio", Tensor.Create([.. Enumerable.Range(0, 1040).Select(i => (float)Math.Sin(0.2 * i + 0.0003 * i * i))], 1, 1040))
            .With("num_mel_bins", JsonElement.Parse("8")).With("stride", JsonElement.Parse($"{stride}")).With("normalize", JsonElement.Parse("false")));
    }

    private static ValueTask<IModel> OpenAsync() => new ComponentsPlugin().Architectures.Single(architecture => architecture.Card.Id == "components/mel-spectrogram")
        .Open(new ModelSource { Id = new("components", "mel-spectrogram"), Services = HostServices.Instance }, default);
}
