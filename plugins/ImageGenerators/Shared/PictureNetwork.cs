using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>A decoder that is one network: its one input takes codes or latents, what it gives are pixels in 0..1.</summary>
internal sealed class PictureNetwork : IPictureDecoder
{
    private readonly Network _network;

    private PictureNetwork(Network network) => _network = network;

    /// <summary>Builds it.</summary>
    /// <param name="context">Engine and weights.</param>
    /// <param name="name">Name, for messages.</param>
    /// <param name="pixels">Declares the input and gives the pixels, (B, 3, H, W), which are cut to 0..1.</param>
    public static PictureNetwork Build(NetworkContext context, string name, Func<Scope, Value> pixels) =>
        new(Network.Build(context with { Stages = false }, name, scope => scope.Graph.Output("pixels", pixels(scope).Clip(0, 1))));

    /// <inheritdoc/>
    public async Task<Tensor<float>> DecodeAsync(Tensor samples, CancellationToken cancel) => (await _network.RunAsync(cancel, (_network.Session.Inputs[0].Name, samples)).ConfigureAwait(false))["pixels"];

    /// <inheritdoc/>
    public void Dispose() => _network.Dispose();
}
