using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Encoders;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.Speech;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>A network of ours, and the graph that PyTorch exports of the same.</summary>
/// <param name="Name">Name of the graph under shared/perf, without .onnx.</param>
/// <param name="WeightBytes">Size of its .weights file.</param>
/// <param name="Build">Ours, with the peer's own inputs.</param>
internal sealed record PeerNetwork(string Name, long WeightBytes, Action<Scope> Build)
{
    public override string ToString() => Name;
}

/// <summary>The networks of shared/perf at their published sizes.</summary>
internal static class PeerNetworks
{
    public static IReadOnlyList<PeerNetwork> All { get; } =
    [
        new("dit-b2", 521785344, DiTB2),
        new("vit-b16", 342863872, VitB16),
        new("encodec-24khz-encoder", 29687808, scope => scope.Graph.Output("y", SeaNet.Encode(scope["encoder"], scope.Graph.Input("audio", [1, 1, 24000]), new EncodecConfig().SeaNet))),
        new("encodec-24khz-decoder", 29687808, scope => scope.Graph.Output("y", SeaNet.Decode(scope["decoder"], scope.Graph.Input("latent", [1, 128, 75]), new EncodecConfig().SeaNet))),
        new("gpt2-prefill", 497283072, Gpt2),
        new("t5-small-encoder", 141303808, scope => scope.Graph.Output("y", T5Encoder.Encode(scope, scope.Graph.Input("input_ids", ElementType.Int64, [1, 128]), new()).LastHiddenState)),
        new("sd-vae-decoder", 197960704, VaeDecoder),
    ];

    private static void DiTB2(Scope scope)
    {
        var g = scope.Graph;
        g.Output("y", DiTNetwork.Build(scope, g.Input("x", [2, 4, 32, 32]), g.Input("t", ElementType.Int64, [2]), g.Input("y_in", ElementType.Int64, [2]), new() { HiddenSize = 768, Depth = 12, NumHeads = 12 }));
    }

    // An Image is Worth 16x16 Words. Dosovitskiy et al. arXiv:2010.11929. transformers' ViTModel.
    private static void VitB16(Scope scope)
    {
        const long width = 768;
        var vit = scope["embeddings"];
        var patches = vit["patch_embeddings.projection"].PatchEmbed(scope.Graph.Input("pixel_values", [1, 3, 224, 224]), width, 16);
        var h = ValueShape.Concat(1, vit.Weight("cls_token", 1, 1, width), patches) + vit.Weight("position_embeddings", 1, 197, width);
        for (var i = 0; i < 12; i++)
        {
            var block = scope["encoder.layer"][i];
            var x = block["layernorm_before"].LayerNorm(h, 1e-12);
            var attention = block["attention.attention"];
            h += block["attention.output.dense"].Linear(AttentionLayers.Attention(attention["query"].Linear(x, width), attention["key"].Linear(x, width), attention["value"].Linear(x, width), new() { Heads = 12 }), width);
            h += block["output.dense"].Linear(block["intermediate.dense"].Linear(block["layernorm_after"].LayerNorm(h, 1e-12), 4 * width).Gelu(), width);
        }

        scope.Graph.Output("y", scope["layernorm"].LayerNorm(h, 1e-12));
    }

    private static void Gpt2(Scope scope) =>
        scope.Graph.Output("y", Gpt2Network.Build(scope, scope.Graph.Input("input_ids", ElementType.Int64, [1, 128]), scope["wpe"].Weight("weight", 1024, Gpt2Network.Width).Take(0, 128),
            (_, q, k, v) => AttentionLayers.Attention(q, k, v, new() { Heads = Gpt2Network.Heads, Causal = true })));

    private static void VaeDecoder(Scope scope)
    {
        var config = new AutoencoderKlConfig
        {
            BlockOutChannels = [128, 256, 512, 512], LayersPerBlock = 2, LatentChannels = 4,
            DownBlockTypes = [.. Enumerable.Repeat("DownEncoderBlock2D", 4)], UpBlockTypes = [.. Enumerable.Repeat("UpDecoderBlock2D", 4)],
        };
        scope.Graph.Output("y", AutoencoderKl.Decode(scope, scope.Graph.Input("latent", [1, 4, 32, 32]), config));
    }
}
