// Autoregressive Image Generation without Vector Quantization. Li, Tian, Li, Deng, He. arXiv:2406.11838. github.com/LTH14/mar: models/mar.py, which descendants share.
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>A stack of transformer blocks.</summary>
/// <param name="Width">Width.</param>
/// <param name="Depth">Blocks.</param>
/// <param name="Heads">Heads.</param>
internal sealed record MarStack(long Width, int Depth, long Heads);

/// <summary>Sizes of MAR's masked autoencoder.</summary>
/// <param name="Positions">Tokens of a picture.</param>
/// <param name="Channels">Channels of a token.</param>
/// <param name="Classes">Number of classes; the id after them is no class.</param>
/// <param name="Buffer">Places that hold the class.</param>
/// <param name="Encoder">The encoder, over known tokens.</param>
/// <param name="Decoder">The decoder, over all.</param>
internal sealed record MarSizes(int Positions, int Channels, int Classes, int Buffer, MarStack Encoder, MarStack Decoder)
{
    /// <summary>Width inside the feed-forward networks, in units of the width.</summary>
    public double MlpRatio { get; init; } = 4;
}

/// <summary>MAR's masked autoencoder: what it says about unknown tokens.</summary>
internal static class MarNetwork
{
    private const double Epsilon = 1e-6;

    /// <summary>
    /// tokens (B, N, C), labels (B), kept (B, buffer + known): the places of the buffer and of known tokens; sources (B, buffer + N): for each place its row among those kept, or the number of them when it is unknown -> z (B, N, D).
    /// </summary>
    public static void Conditions(Scope mar, MarSizes sizes)
    {
        var (g, batch, count) = (mar.Graph, Dim.Symbol("batch"), Dim.Symbol("kept"));
        var (encoder, decoder, all) = (sizes.Encoder, sizes.Decoder, sizes.Buffer + sizes.Positions);
        var tokens = g.Input("tokens", [batch, sizes.Positions, sizes.Channels]);
        var labels = g.Input("labels", ElementType.Int64, [batch]);
        var (kept, sources) = (g.Input("kept", ElementType.Int64, [batch, count]), g.Input("sources", ElementType.Int64, [batch, all]));

        var classes = ValueShape.Concat(0, mar["class_emb"].Weight("weight", sizes.Classes, encoder.Width), mar.Weight("fake_latent", 1, encoder.Width));
        var buffer = classes.Gather(labels).Unsqueeze(1).Expand(batch, sizes.Buffer, encoder.Width);
        var x = ValueShape.Concat(1, buffer, mar["z_proj"].Linear(tokens, encoder.Width)) + mar.Weight("encoder_pos_embed_learned", 1, all, encoder.Width);
        x = mar.Stage("tokens_ln", mar["z_proj_ln"].LayerNorm(x, Epsilon)).Rows(kept);     // (B, buffer + known, E)
        for (var i = 0; i < encoder.Depth; i++) x = mar.Stage($"encoder_block_{i}", mar["encoder_blocks"][i].VitBlock(x, encoder.Heads, Epsilon, mlpRatio: sizes.MlpRatio));
        x = mar.Stage("encoder_out", mar["encoder_norm"].LayerNorm(x, Epsilon));

        x = mar["decoder_embed"].Linear(x, decoder.Width);
        x = ValueShape.Concat(1, x, mar.Weight("mask_token", 1, 1, decoder.Width).Expand(batch, 1, decoder.Width)).Rows(sources);
        x += mar.Weight("decoder_pos_embed_learned", 1, all, decoder.Width);
        for (var i = 0; i < decoder.Depth; i++) x = mar.Stage($"decoder_block_{i}", mar["decoder_blocks"][i].VitBlock(x, decoder.Heads, Epsilon, mlpRatio: sizes.MlpRatio));
        g.Output("z", mar["decoder_norm"].LayerNorm(x, Epsilon).From(1, sizes.Buffer) + mar.Weight("diffusion_pos_embed_learned", 1, sizes.Positions, decoder.Width));
    }

    /// <summary>Rows of each sample by number. x (B, N, D), rows (B, M) -> (B, M, D).</summary>
    public static Value Rows(this Value x, Value rows) => x.GatherElements(rows.Unsqueeze(2).Expand(rows.Shape[0], rows.Shape[1], x.Shape[2]), 1);
}

/// <summary>Runs of a masked autoencoder and its head.</summary>
internal sealed class MarTransformer : IDisposable
{
    private readonly MarSizes _sizes;
    private readonly Network _network;

    /// <summary>Builds both networks.</summary>
    public MarTransformer(NetworkContext context, MarSizes sizes, long headWidth, int headDepth)
    {
        _sizes = sizes;
        _network = Network.Build(context, "mar", scope => MarNetwork.Conditions(scope, sizes), independentRows: true);
        Head = new(context, new(sizes.Channels, sizes.Decoder.Width, headWidth, headDepth));
    }

    /// <summary>The head.</summary>
    public DiffusionHead Head { get; }

    /// <summary>What the transformer says, stages included. tokens (B, N, C), mask (B, N), 1 where unknown; labels: the number of classes for none.</summary>
    public Task<NetworkOutputs> RunAsync(Tensor<float> tokens, Tensor<float> mask, long[] labels, CancellationToken cancel)
    {
        var (rows, buffer) = (labels.Length, _sizes.Buffer);
        var known = mask.Slice(0).Span.Count(0f);
        var (kept, sources) = (Tensor.Zeros<long>(rows, buffer + known), Tensor.Zeros<long>(rows, buffer + _sizes.Positions));
        for (var row = 0; row < rows; row++)
        {
            var next = 0;
            for (var place = 0; place < buffer + _sizes.Positions; place++)
            {
                var unknown = place >= buffer && mask[row, place - buffer] != 0;
                sources[row, place] = unknown ? buffer + known : next;
                if (!unknown) kept[row, next++] = place;
            }
        }

        return _network.RunAsync(cancel, ("tokens", tokens), ("labels", Tensor.Create(labels, rows)), ("kept", kept), ("sources", sources));
    }

    /// <summary>MAR's sampling; gives the tokens (B, N, C) after each iteration.</summary>
    /// <param name="sampler">Orders, iterations and guidance.</param>
    /// <param name="labels">The class of each sample.</param>
    /// <param name="head">Predicts tokens.</param>
    /// <param name="cancel">Stops the run.</param>
    public IAsyncEnumerable<Tensor<float>> SampleAsync(TokenDiffusionSampler sampler, long[] labels, TokenHead head, CancellationToken cancel)
    {
        var guided = sampler.Guidance != 1;
        long[] classes = guided ? [.. labels, .. labels.Select(_ => (long)_sizes.Classes)] : labels;
        return sampler.RunAsync(
            async (tokens, mask, stop) => (await RunAsync(guided ? tokens.Doubled() : tokens, guided ? mask.Doubled() : mask, classes, stop).ConfigureAwait(false))["z"], head, cancel);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        Head.Dispose();
    }
}

/// <summary>Latents as tokens: patches of p x p places, the channel slowest.</summary>
internal static class LatentPatches
{
    /// <summary>(B, C, h p, w p) -> (B, h w, C p p).</summary>
    public static Tensor<float> ToTokens(Tensor<float> latents, int patch)
    {
        var (channels, rows, columns) = ((int)latents.Shape[1], (int)latents.Shape[2] / patch, (int)latents.Shape[3] / patch);
        var tokens = Tensor.Zeros<float>(latents.Shape[0], rows * columns, channels * patch * patch);
        for (var i = 0; i < tokens.Length; i++) tokens.Span[i] = latents.Span[Source(i, channels, rows, columns, patch)];
        return tokens;
    }

    /// <summary>(B, h w, C p p) -> (B, C, h p, w p).</summary>
    public static Tensor<float> ToLatents(Tensor<float> tokens, int patch, int rows, int columns)
    {
        var channels = (int)tokens.Shape[2] / (patch * patch);
        var latents = Tensor.Zeros<float>(tokens.Shape[0], channels, rows * patch, columns * patch);
        for (var i = 0; i < tokens.Length; i++) latents.Span[Source(i, channels, rows, columns, patch)] = tokens.Span[i];
        return latents;
    }

    // Where in the latents number i of the tokens stands.
    private static int Source(int i, int channels, int rows, int columns, int patch)
    {
        var (q, rest) = (i % patch, i / patch);
        (var p, rest) = (rest % patch, rest / patch);
        (var c, rest) = (rest % channels, rest / channels);
        (var x, rest) = (rest % columns, rest / columns);
        var (y, sample) = (rest % rows, rest / rows);
        return ((sample * channels + c) * rows * patch + y * patch + p) * columns * patch + x * patch + q;
    }
}
