using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Plugins.DiffusionTransformers.LightningDiT;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>Options of VA-VAE's class that no published configuration sets.</summary>
public sealed class VaVaeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Sizes_WithoutEncoderAndDecoder_AreThoseOfTheAuthorsClass()
    {
        var sizes = new VaVaeConfig { EmbedDim = 16 }.Sizes;
        Assert.Equal((128, 2, 256, 16, true), (sizes.Ch, sizes.NumResBlocks, sizes.Resolution, sizes.ZChannels, sizes.DoubleZ));
        Assert.Equal([1, 1, 2, 2, 4], sizes.ChMult);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Decode_FileWithOrWithoutAttentionInTheDecoder_IsReadAsItIs(bool attends)
    {
        await using var model = await OpenAsync(attends, variational: true);
        var results = await model.Get<IReferenceCalls>().CallAsync("decode", new CallArguments().With("latent", Tensor.Zeros<float>(1, 4, 8, 8)));
        Assert.Equal([1, 3, 16, 16], results.Tensor("reconstruction").Shape.ToArray());
    }

    [Fact]
    public async Task Encode_WithoutVariances_GivesLogVariancesOfOne()
    {
        await using var model = await OpenAsync(attends: true, variational: false);
        var results = await model.Get<IReferenceCalls>().CallAsync("encode", new CallArguments().With("image", Tensor.Zeros<float>(2, 3, 16, 16)));
        Assert.Equal([2, 4, 8, 8], results.Tensor("mean").Shape.ToArray());
        Assert.All(((Tensor<float>)results.Tensor("logvar")).Span.ToArray(), value => Assert.Equal(1, value));
    }

    private async Task<IModel> OpenAsync(bool attends, bool variational)
    {
        var sizes = new LdmAutoencoderConfig { Ch = 8, ChMult = [1, 2], NumResBlocks = 1, AttnResolutions = [8], Resolution = 16, ZChannels = 4, DoubleZ = true, NormGroups = 4, DecoderAttention = attends };
        File.WriteAllText(Path.Combine(_folder.Path, "config.yaml"), $"model:\n  params:\n    embed_dim: 4\n    use_variational: {(variational ? "true" : "false")}\n    ddconfig:\n      ch: 8\n      ch_mult: [1, 2]\n      num_res_blocks: 1\n      attn_resolutions: [8]\n      resolution: 16\n      z_channels: 4\n      norm_groups: 4\n");
        TinyParts.Weights(Path.Combine(_folder.Path, "vavae.safetensors"), [.. Network.Inventory(scope =>
        {
            var moments = scope["quant_conv"].Conv(LdmAutoencoder.Encoder(scope["encoder"], scope.Graph.Input("image", [1, 3, 16, 16]), sizes), variational ? 8 : 4, 1);
            scope.Graph.Output("moments", moments);
            scope.Graph.Output("picture", LdmAutoencoder.Decoder(scope["decoder"], scope["post_quant_conv"].Conv(scope.Graph.Input("latent", [1, 4, 8, 8]), 4, 1), sizes));
        })]);
        return await LightningDiTModel.Architecture.Open(new() { Id = ModelId.Parse("diffusion-transformers/va-vae-lightningdit.tiny"), Folder = _folder.Path, Services = HostServices.Instance }, CancellationToken.None);
    }
}
