using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.Components.Tests.Parts;

public sealed class PerceptualTests
{
    [Theory, ParityCases("metrics/lpips-alex")]
    public Task LpipsAlex_ReproducesThePackage(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("metrics/lpips-vgg")]
    public Task LpipsVgg_ReproducesThePackage(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("metrics/lpips-squeeze")]
    public Task LpipsSqueeze_ReproducesThePackage(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    // Linear layers that were made without a dropout come first in their sequences.
    [Fact]
    public async Task Lpips_WithoutDropout_IsTheSame()
    {
        var source = Repository.Path("tests", "parity", "metrics", "lpips-alex", "tiny-a");
        var folder = Directory.CreateTempSubdirectory("lpips").FullName;
        try
        {
            foreach (var file in new[] { "config.json", "alexnet.pth" }) File.Copy(Path.Combine(source, "checkpoint", file), Path.Combine(folder, file));
            using (var published = Checkpoint.Open(Path.Combine(source, "checkpoint", "alex.pth")))
                SafetensorsWriter.Write(Path.Combine(folder, "alex.safetensors"), published.Unused.ToDictionary(name => name.Replace("model.1", "model.0"), name => Values(published.Get(name))));
            var (inputs, expected) = (TensorArchive.Read(Path.Combine(source, "inputs.safetensors")), TensorArchive.Read(Path.Combine(source, "expected.safetensors")));
            await using var model = await new ComponentsPlugin().Architectures.Single(architecture => architecture.Card.Id == "metrics/lpips-alex")
                .Open(new ModelSource { Id = new("metrics", "lpips-alex"), Folder = folder, Parts = [new("alexnet.pth"), new("alex.safetensors")], Services = HostServices.Instance }, default);
            var results = await model.Find<IReferenceCalls>()!.CallAsync("forward", new CallArguments().With("in0", inputs["in0"]).With("in1", inputs["in1"]));
            Assert.Equal(expected["lpips"].As<float>().Span.ToArray(), results.Tensor("lpips").As<float>().Span.ToArray(), (a, b) => Math.Abs(a - b) < 1e-5);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static Tensor Values(WeightData data) => Tensor.Create(data.Span<float>().ToArray(), [.. data.Shape]);
    }

    [Theory, ParityCases("metrics/clip-score")]
    public Task ClipScore_ReproducesTorchmetrics(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("metrics/t2m-evaluator")]
    public Task MotionEvaluator_ReproducesTheAuthorsCode(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);
}
