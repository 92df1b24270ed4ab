using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Tests.Metrics;

public sealed class ImageMetricTests
{
    // What PyTorch gives for torchmetrics' formula: the target's range, or values kept within the given one.
    [Theory]
    [InlineData("null", 5.85026639603917)]
    [InlineData("[0.0, 1.0]", 10.280287365432274)]
    public async Task Psnr_RangeOfThePictures_IsTorchmetrics(string range, double expected)
    {
        await using var model = await new ComponentsPlugin().Architectures.Single(architecture => architecture.Card.Id == "metrics/psnr")
            .Open(new ModelSource { Id = new("metrics", "psnr"), Services = HostServices.Instance }, default);
        var results = await model.Find<IReferenceCalls>()!.CallAsync("psnr", new CallArguments()
            .With("preds", Tensor.Create([0f, 0.25f, 0.5f, 1.5f], 1, 1, 2, 2)).With("target", Tensor.Create([0.25f, 0.25f, -0.5f, 0.75f], 1, 1, 2, 2)).With("data_range", JsonElement.Parse(range)));
        Assert.Equal(expected, results.Tensor("psnr_batch").As<double>().Span[0], 1e-5);
    }

    // One figure a signal; channels keep their axis where there are several.
    [Theory]
    [InlineData(new long[] { 4, 3 }, new long[] { 4 })]
    [InlineData(new long[] { 4, 1, 3 }, new long[] { 4 })]
    [InlineData(new long[] { 2, 2, 3 }, new long[] { 2, 2 })]
    public async Task Snr_OfChannels_HasTheirShape(long[] shape, long[] expected)
    {
        await using var model = await new ComponentsPlugin().Architectures.Single(architecture => architecture.Card.Id == "metrics/si-sdr")
            .Open(new ModelSource { Id = new("metrics", "si-sdr"), Services = HostServices.Instance }, default);
        var target = Tensor.Create([.. Enumerable.Range(1, 12).Select(i => (float)i)], shape);
        var results = await model.Find<IReferenceCalls>()!.CallAsync("snr", new CallArguments().With("preds", Tensor.Create(Array.ConvertAll(target.Span.ToArray(), x => 0.9f * x), shape)).With("target", target));
        Assert.Equal(expected, results.Tensor("snr").Shape.ToArray());
        Assert.All(results.Tensor("snr").As<double>().Span.ToArray(), value => Assert.Equal(20, value, 1e-3));
    }

    // 10 log_base(range² / error) over some dimensions: errors of the rows are 0.25 and 1, 0.625 of all.
    [Theory]
    [InlineData("[1, 2, 3]", 10, "none", new[] { 2.0411998265592475 })]
    [InlineData("3", 10, "none", new[] { 6.0205999132796242, 0 })]
    [InlineData("[-1]", 2, "none", new[] { 20.0, 0 })]
    [InlineData("[-1]", 2, "sum", new[] { 20.0 })]
    [InlineData("[3, 1]", 2, "elementwise_mean", new[] { 10.0 })]
    public async Task Psnr_OverDimensionsWithABase_IsTorchmetrics(string dim, double numberBase, string reduction, double[] expected)
    {
        await using var model = await new ComponentsPlugin().Architectures.Single(architecture => architecture.Card.Id == "metrics/psnr")
            .Open(new ModelSource { Id = new("metrics", "psnr"), Services = HostServices.Instance }, default);
        var results = await model.Find<IReferenceCalls>()!.CallAsync("psnr", new CallArguments()
            .With("preds", Tensor.Create([0.5f, 0.5f, 1f, 1f], 1, 1, 2, 2)).With("target", Tensor.Create([0f, 1f, 0f, 2f], 1, 1, 2, 2)).With("data_range", JsonElement.Parse("1.0"))
            .With("dim", JsonElement.Parse(dim)).With("base", JsonElement.Parse(numberBase.ToString(System.Globalization.CultureInfo.InvariantCulture))).With("reduction", JsonElement.Parse($"\"{reduction}\"")));
        Assert.Equal(expected, results.Tensor("psnr_per_image").As<double>().Span.ToArray(), (a, b) => Math.Abs(a - b) < 1e-9);
    }
}
