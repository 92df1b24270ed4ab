// One-D-Piece: Image Tokenizer Meets Quality-Controllable Compression. Miwa, Sasaki, Arai, Takahashi, Yamaguchi. arXiv:2501.10064. github.com/turingmotors/One-D-Piece
// Published layout: config.json + model.safetensors (turing-motors/One-D-Piece-*). Deviations: none. The network is TiTok's; training with dropped tails lets any prefix decode.
using ModelZoo.Contracts;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>One-D-Piece: the fewer tokens are kept, the coarser the picture.</summary>
public static class OneDPieceModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/one-d-piece",
            Paper = "One-D-Piece: Image Tokenizer Meets Quality-Controllable Compression",
            ArXiv = "2501.10064",
            Authors = ["Keita Miwa", "Kento Sasaki", "Hidehisa Arai", "Tsubasa Takahashi", "Yu Yamaguchi"],
            Repository = "turingmotors/One-D-Piece",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors"],
            Sizes = [new("turingmotors/One-D-Piece-L-256", 641_742_863, []), new("turingmotors/One-D-Piece-B-256", 205_256_463, []), new("turingmotors/One-D-Piece-S-256", 83_871_247, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(TiTokConfig config) => TiTokModel.Plan(config) with
    {
        Layout = TokenLayout.CoarseToFine,
        Calls = new Dictionary<string, ReferenceCall> { ["decode_tokens"] = DecodeTokensAsync },
    };

    // With a length, the first tokens alone; the results are then named after it.
    private static async ValueTask<CallResults> DecodeTokensAsync(NetworkSet networks, CallArguments arguments, CancellationToken cancel)
    {
        var tokens = arguments.Tensor<long>("tokens");
        if (!arguments.Has("length")) return (await networks.RunAsync("decode_tokens", cancel, ("tokens", tokens)).ConfigureAwait(false)).ToResults();
        var length = arguments.Literal<int>("length");
        var prefix = Tensor.Zeros<long>(tokens.Shape[0], 1, length);
        for (var i = 0; i < tokens.Shape[0]; i++) tokens.Slice(i).Span[..length].CopyTo(prefix.Slice(i).Span);
        var outputs = (await networks.RunAsync("decode_tokens", cancel, ("tokens", prefix)).ConfigureAwait(false)).ToResults();
        return outputs.Values.Aggregate(new CallResults(), (results, pair) => results.Add($"{pair.Key}_{length}", (Tensor)pair.Value));
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(TiTokConfig.Read(source.RequireFolder()))));
}
