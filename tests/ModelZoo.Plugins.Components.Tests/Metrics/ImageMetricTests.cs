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
}
