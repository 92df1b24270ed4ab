// Latent Autoregressive Source Separation. Postolache, Mariani, Mancusi, Santilli, Cosmo, Rodolà. arXiv:2301.08562. github.com/gladia-research-group/latent-autoregressive-source-separation
// Published layout: the repository's MNIST models, vqvae.pt + autoregressive.pt + sums.pt with vqvae.json + autoregressive.json. Deviations: none in the separation; the refinement of latents by gradient descent
// that the authors' script does afterwards is not here. Their audio models put Jukebox in the place of the two networks.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Speech;

/// <summary>Sizes of the autoencoder.</summary>
public sealed record LassAutoencoderConfig
{
    [Range(1, 16)] public int InputDim { get; init; } = 1;
    [Range(1, 65536)] public int Dim { get; init; } = 128;
    [JsonPropertyName("K"), Range(2, 4096)] public int Codes { get; init; } = 256;
}

/// <summary>Sizes of the prior (transformers' <c>GPT2Config</c>).</summary>
public sealed record LassPriorConfig
{
    [Range(2, 1 << 20)] public int VocabSize { get; init; } = 256;
    [Range(1, 1 << 20)] public int NPositions { get; init; } = 49;
    [Range(1, 65536)] public int NEmbd { get; init; } = 128;
    [Range(0, 1024)] public int NLayer { get; init; } = 3;
    [Range(1, 1024)] public int NHead { get; init; } = 2;
    [Range(1, 1 << 20)] public int? NInner { get; init; }
    public string ActivationFunction { get; init; } = "gelu_new";
    public double LayerNormEpsilon { get; init; } = 1e-5;
}

/// <summary>How pairs of codes are chosen.</summary>
public enum LassMethod
{
    /// <summary>Drawn from the posterior.</summary>
    Sampled,
    /// <summary>The authors' beam search.</summary>
    BeamSearch,
}

/// <summary>Options of a separation.</summary>
public sealed record LassOptions : ModelOptions
{
    /// <summary>How pairs are chosen.</summary>
    [Description("Draw pairs of codes from the posterior, or search with beams.")]
    public LassMethod Method { get; init; } = LassMethod.Sampled;

    /// <summary>Separations side by side; the one whose sum is nearest to the mixture is given.</summary>
    [Description("Separations that are tried, or beams; the one nearest to the mixture is given.")]
    [Range(1, 1024)]
    public int Samples { get; init; } = 8;

    /// <summary>Pairs to draw from; null for all.</summary>
    [Description("Only the most likely pairs are drawn from; all when left out.")]
    [Range(1, 1 << 20)]
    public int? TopK { get; init; }

    /// <summary>Temperature of both priors.</summary>
    [Description("Temperature of the priors.")]
    [Range(0.01, 100.0)]
    public double Temperature { get; init; } = 1;

    /// <summary>First input of the first source's prior.</summary>
    [Description("First token of the first source: 0, or its class where the prior was trained with classes.")]
    [Range(0, 1 << 20)]
    public int First { get; init; }

    /// <summary>First input of the second source's prior.</summary>
    [Description("First token of the second source: 0, or its class where the prior was trained with classes.")]
    [Range(0, 1 << 20)]
    public int Second { get; init; }
}

/// <summary>A convolutional autoencoder with one codebook, and GPT-2 over its codes.</summary>
internal static class LassNetwork
{
    /// <summary>image (B, C, H, W) -> (B, D, H/4, W/4).</summary>
    public static Value Encode(Scope encoder, Value image, LassAutoencoderConfig config)
    {
        var x = encoder[1].BatchNorm(encoder[0].Conv(image, config.Dim, kernel: 4, stride: 2, padding: 1)).LeakyRelu(0.01);
        x = encoder[3].Conv(x, config.Dim, kernel: 4, stride: 2, padding: 1);
        return ResBlock(encoder[5], ResBlock(encoder[4], x));
    }

    /// <summary>Nearest codes: z (B, D, h, w) -> (B, h, w).</summary>
    public static Value Quantize(Scope model, Value z, LassAutoencoderConfig config)
    {
        var codebook = Codebook.Stored(model["codeBook.embedding"], config.Codes, config.Dim, "weight");
        return codebook.Scope.Linear(z.Transpose(0, 2, 3, 1), codebook.Rows, codebook.HalfNorms).ArgMax(-1);
    }

    /// <summary>codes (B, h, w) -> image (B, C, 4h, 4w) in 0..1.</summary>
    public static Value Decode(Scope model, Value codes, LassAutoencoderConfig config)
    {
        var decoder = model["decoder"];
        var x = model["codeBook.embedding"].Embedding(codes, config.Codes, config.Dim).Transpose(0, 3, 1, 2);
        x = ResBlock(decoder[1], ResBlock(decoder[0], x)).LeakyRelu(0.01);
        x = decoder[4].BatchNorm(decoder[3].ConvTranspose(x, config.Dim, kernel: 4, stride: 2, padding: 1)).LeakyRelu(0.01);
        return decoder[6].ConvTranspose(x, config.InputDim, kernel: 4, stride: 2, padding: 1).Sigmoid();
    }

    /// <summary>tokens (B, T) -> logits (B, T, K) of the next ones.</summary>
    public static Value Prior(Scope model, Value tokens, LassPriorConfig config)
    {
        var (gpt, width) = (model["transformer"], config.NEmbd);
        var words = gpt["wte"].Weight("weight", config.VocabSize, width);
        var h = words.Gather(tokens) + gpt["wpe"].Weight("weight", config.NPositions, width).Take(0, tokens.Shape[1]);
        for (var i = 0; i < config.NLayer; i++)
        {
            var block = gpt["h"][i];
            var (q, k, v) = block["attn.c_attn"].LinearInOut(block["ln_1"].LayerNorm(h, config.LayerNormEpsilon), 3 * width).Chunk3();
            h += block["attn.c_proj"].LinearInOut(AttentionLayers.Attention(q, k, v, new() { Heads = config.NHead, Causal = true }), width);
            var inner = block["mlp.c_fc"].LinearInOut(block["ln_2"].LayerNorm(h, config.LayerNormEpsilon), config.NInner ?? 4 * width);
            h += block["mlp.c_proj"].LinearInOut(Activations.Named(config.ActivationFunction)(inner), width);
        }

        return gpt.Linear(gpt["ln_f"].LayerNorm(h, config.LayerNormEpsilon), words, null);
    }

    private static Value ResBlock(Scope scope, Value x)
    {
        var (block, width) = (scope["block"], x.Shape[1].Size);
        var h = block[2].BatchNorm(block[1].Conv(x.LeakyRelu(0.01), width, kernel: 3, padding: 1));
        return x + block[5].BatchNorm(block[4].Conv(h.LeakyRelu(0.01), width, kernel: 1));
    }
}

/// <summary>Pairs of codes that may make a mixture's code, with the logarithm of how likely they are (section 3.2).</summary>
internal sealed class LassLikelihood
{
    private readonly Dictionary<int, (int[] First, int[] Second, float[] Log)> _pairs = [];

    /// <param name="counts">How often codes (first, second) made a mixture's code: (K, K, K).</param>
    /// <param name="codes">K.</param>
    public LassLikelihood(ReadOnlySpan<float> counts, int codes)
    {
        Codes = codes;
        var found = new Dictionary<int, List<(int, int, float)>>();
        for (var pair = 0; pair < codes * codes; pair++)
        {
            var row = counts.Slice(pair * codes, codes);
            var total = 0.0;
            foreach (var count in row) total += count;
            for (var mixture = 0; mixture < codes && total != 0; mixture++)
            {
                if (row[mixture] == 0) continue;
                if (!found.TryGetValue(mixture, out var list)) found[mixture] = list = [];
                list.Add((pair / codes, pair % codes, MathF.Log(row[mixture] / (float)total)));
            }
        }

        foreach (var (mixture, list) in found) _pairs[mixture] = ([.. list.Select(entry => entry.Item1)], [.. list.Select(entry => entry.Item2)], [.. list.Select(entry => entry.Item3)]);
    }

    /// <summary>Number of codes.</summary>
    public int Codes { get; }

    /// <summary>The pairs that were seen to make a mixture's code, by first and then second code.</summary>
    /// <exception cref="MediaException">There is none.</exception>
    public (int[] First, int[] Second, float[] Log) this[int mixture] => _pairs.TryGetValue(mixture, out var pairs) ? pairs
        : throw new MediaException(ErrorCodes.TokensInvalid, "No pair of codes was ever seen to make this code of the mixture.") { Found = $"code {mixture}" };

    /// <summary>The statistics of a corpus: each triple of codes counts in both orders of the sources. (bins, bins, bins).</summary>
    public static Tensor<float> Count(ReadOnlySpan<long> first, ReadOnlySpan<long> second, ReadOnlySpan<long> mixture, int bins)
    {
        var counts = Tensor.Zeros<float>(bins, bins, bins);
        for (var i = 0; i < first.Length; i++)
        {
            counts[first[i], second[i], mixture[i]]++;
            counts[second[i], first[i], mixture[i]]++;
        }

        return counts;
    }
}

/// <summary>Separation: at every place a pair of codes, from two priors and the likelihood of the mixture's code. Knows no network.</summary>
/// <param name="likelihood">The pairs.</param>
/// <param name="prior">Logits (rows, K) that follow rows of tokens, all of one length.</param>
/// <param name="temperature">Temperature of the priors.</param>
internal sealed class LassSeparator(LassLikelihood likelihood, Func<int[][], Task<float[][]>> prior, double temperature)
{
    /// <summary>Log posterior of the pairs of <paramref name="mixture"/>, one row for each pair of histories.</summary>
    public async Task<float[][]> PosteriorAsync(int mixture, int[][] first, int[][] second)
    {
        var (one, two, log) = likelihood[mixture];
        var (p, q) = (await prior(first).ConfigureAwait(false), await prior(second).ConfigureAwait(false));
        return [.. p.Zip(q, (a, b) =>
        {
            var (x, y) = (Normalized(a), Normalized(b));
            return log.Select((value, i) => value + x[one[i]] + y[two[i]]).ToArray();
        })];
    }

    /// <summary>Draws a pair at every place. Gives the codes (samples, T) of both sources.</summary>
    /// <param name="mixture">Codes of the mixture.</param>
    /// <param name="starts">First inputs of both priors.</param>
    /// <param name="samples">Separations side by side.</param>
    /// <param name="topK">Pairs to draw from; null for all.</param>
    /// <param name="uniform">A number in 0..1 by place and sample.</param>
    public async Task<(int[][] First, int[][] Second)> SampleAsync(int[] mixture, (int First, int Second) starts, int samples, int? topK, Func<int, int, double> uniform)
    {
        var (xs, ys) = (Started(starts.First, samples), Started(starts.Second, samples));
        for (var place = 0; place < mixture.Length; place++)
        {
            var (one, two, _) = likelihood[mixture[place]];
            var posterior = await PosteriorAsync(mixture[place], xs, ys).ConfigureAwait(false);
            for (var sample = 0; sample < samples; sample++)
            {
                var pair = Draw(posterior[sample], topK, uniform(place, sample));
                (xs[sample], ys[sample]) = ([.. xs[sample], one[pair]], [.. ys[sample], two[pair]]);
            }
        }

        return (Ended(xs), Ended(ys));
    }

    /// <summary>
    /// The authors' beam search: the best (score + log posterior) over beams and pairs stay, in ascending order. The new scores are then read at the parents' places, as published, so that score j is that of beam parent(j).
    /// </summary>
    public async Task<(int[][] First, int[][] Second)> SearchAsync(int[] mixture, (int First, int Second) starts, int beams)
    {
        var (xs, ys, scores) = (Started(starts.First, 1), Started(starts.Second, 1), new float[1]);
        for (var place = 0; place < mixture.Length; place++)
        {
            var (one, two, _) = likelihood[mixture[place]];
            var posterior = await PosteriorAsync(mixture[place], xs, ys).ConfigureAwait(false);
            var best = posterior.SelectMany((row, beam) => row.Select((value, pair) => (Score: scores[beam] + value, Beam: beam, Pair: pair))).OrderBy(entry => entry.Score).TakeLast(beams).ToArray();
            (xs, ys) = ([.. best.Select(entry => (int[])[.. xs[entry.Beam], one[entry.Pair]])], [.. best.Select(entry => (int[])[.. ys[entry.Beam], two[entry.Pair]])]);
            scores = [.. best.Select(entry => best[entry.Beam].Score)];
        }

        return (Ended(xs), Ended(ys));
    }

    // log softmax(logits / temperature), in single precision as the reference.
    private float[] Normalized(float[] logits)
    {
        var scaled = logits.Select(value => value / (float)temperature).ToArray();
        var max = scaled.Max();
        var sum = (float)(max + Math.Log(scaled.Sum(value => Math.Exp(value - max))));
        return [.. scaled.Select(value => value - sum)];
    }

    private static int Draw(float[] logits, int? topK, double uniform)
    {
        var least = topK is { } count && count < logits.Length ? logits.OrderDescending().ElementAt(count - 1) : float.NegativeInfinity;
        var max = logits.Max();
        var weights = logits.Select(value => value < least ? 0 : Math.Exp(value - max)).ToArray();
        var total = weights.Sum();
        return Categorical.Draw([.. weights.Select(weight => weight / total)], uniform);
    }

    private static int[][] Started(int start, int count) => [.. Enumerable.Range(0, count).Select(_ => new[] { start })];

    private static int[][] Ended(int[][] rows) => [.. rows.Select(row => row[1..])];
}
