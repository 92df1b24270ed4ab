using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.Components.Tests.Parts;

public sealed class TextEncoderTests
{
    [Theory, ParityCases("components/clip-text")]
    public Task ClipText_ReproducesTransformers(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/t5-encoder")]
    public Task T5Encoder_ReproducesTransformers(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/umt5")]
    public Task Umt5_ReproducesTransformers(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/gemma-2")]
    public Task Gemma2_ReproducesTransformers(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);
}
