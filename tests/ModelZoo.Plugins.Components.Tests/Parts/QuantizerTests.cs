using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.Components.Tests.Parts;

public sealed class QuantizerTests
{
    [Theory, ParityCases("components/vector-quantize")]
    public Task VectorQuantize_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/residual-vq")]
    public Task ResidualVq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/fsq")]
    public Task Fsq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/residual-fsq")]
    public Task ResidualFsq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/lfq")]
    public Task Lfq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/bsq")]
    public Task Bsq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/sim-vq")]
    public Task SimVq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/random-projection-quantizer")]
    public Task RandomProjectionQuantizer_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);
}
