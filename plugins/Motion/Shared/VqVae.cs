using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>The two directions of T2M-GPT's tokenizer as networks.</summary>
internal sealed class VqVae(NetworkContext context, string name, TokenizerArgs args)
{
    /// <summary>Frames to codes.</summary>
    public Network Encoder { get; } = Network.Build(context, $"{name} encoder", scope => Encode(scope, args), independentRows: true);

    /// <summary>Codes to frames.</summary>
    public Network Decoder { get; } = Network.Build(context, $"{name} decoder", scope => Decode(scope, args), independentRows: true);

    /// <summary>Both, for the approved inventory.</summary>
    public static void Build(Scope scope, TokenizerArgs args)
    {
        Encode(scope, args);
        Decode(scope, args);
    }

    /// <summary>motion (B, T, F) -> latent and codes (B, N).</summary>
    public async Task<NetworkOutputs> EncodeAsync(Tensor motion, CancellationToken cancel) => await Encoder.RunAsync(cancel, ("motion", motion)).ConfigureAwait(false);

    /// <summary>motion (1, T, F) -> tokens (N).</summary>
    public async Task<Tensor<int>> TokensAsync(Tensor<float> motion, CancellationToken cancel) => (await EncodeAsync(motion, cancel).ConfigureAwait(false)).Get<long>("codes").ToTokens();

    /// <summary>codes (B, N) -> motion (B, T, F).</summary>
    public async Task<Tensor<float>> DecodeAsync(Tensor codes, CancellationToken cancel) => (await Decoder.RunAsync(cancel, ("codes", codes)).ConfigureAwait(false))["reconstruction"];

    /// <summary>codes of one motion -> motion (1, T, F).</summary>
    public Task<Tensor<float>> DecodeAsync(long[] codes, CancellationToken cancel) => DecodeAsync(Tensor.Create(codes, 1, codes.Length), cancel);

    /// <summary>The authors' <c>forward</c>: there and back, with what the codes stand for.</summary>
    public async Task<CallResults> ForwardAsync(Tensor motion, CancellationToken cancel) =>
        (await Decoder.RunAsync(cancel, ("codes", (await EncodeAsync(motion, cancel).ConfigureAwait(false)).Get<long>("codes"))).ConfigureAwait(false)).ToResults();

    private static void Encode(Scope scope, TokenizerArgs args)
    {
        var vq = scope["vq.vqvae"];
        var motion = scope.Graph.Input("motion", [Dim.Symbol("batch"), Dim.Symbol("frames"), args.Features]);
        var latent = vq.Stage("latent", TemporalAutoencoder.Encode(vq["encoder"], motion, args.Layout, args.CodeDim));
        scope.Graph.Output("codes", TemporalAutoencoder.Quantize(vq["quantizer"], latent, args.NbCode));
    }

    private static void Decode(Scope scope, TokenizerArgs args)
    {
        var vq = scope["vq.vqvae"];
        var codes = scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("tokens")]);
        var quantized = vq.Stage("quantized", TemporalAutoencoder.Dequantize(vq["quantizer"], codes, args.NbCode, args.CodeDim));
        scope.Graph.Output("reconstruction", TemporalAutoencoder.Decode(vq["decoder"], quantized, args.Layout, args.Features));
    }
}
