// Autoregressive Image Generation without Vector Quantization. Li, Tian, Li, Deng, He. arXiv:2406.11838, section 3.4: masked generation in a random order, each token from a diffusion head.
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>A token to be predicted.</summary>
/// <param name="Sample">Its sample.</param>
/// <param name="Position">Its place in the sequence.</param>
internal readonly record struct TokenPlace(int Sample, int Position);

/// <summary>What the transformer says: tokens (B, N, C) and mask (B, N), 1 where unknown, to conditions (B, N, Z), or (2 B, N, Z) when guided.</summary>
internal delegate Task<Tensor<float>> TokenConditions(Tensor<float> tokens, Tensor<float> mask, CancellationToken cancel);

/// <summary>Conditions (n, Z), or (2 n, Z) when guided, of the places to tokens (n, C).</summary>
internal delegate Task<Tensor<float>> TokenHead(Tensor<float> conditions, float guidance, IReadOnlyList<TokenPlace> places, CancellationToken cancel);

/// <summary>MAR's outer loop: the places to predict follow each sample's order and a cosine schedule.</summary>
/// <param name="Orders">The order of each sample, last predicted first: (B, N).</param>
/// <param name="Channels">Channels of a token.</param>
internal sealed record TokenDiffusionSampler(long[][] Orders, int Channels)
{
    /// <summary>Number of iterations.</summary>
    public required int Iterations { get; init; }
    /// <summary>Scale of guidance; 1 for none.</summary>
    public double Guidance { get; init; } = 1;
    /// <summary><c>linear</c>: grows with the share of known tokens; <c>constant</c>.</summary>
    public string Schedule { get; init; } = "linear";

    private int Positions => Orders[0].Length;

    /// <summary>Runs; gives the tokens (B, N, C) after each iteration.</summary>
    public async IAsyncEnumerable<Tensor<float>> RunAsync(TokenConditions conditions, TokenHead head, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var tokens = Tensor.Zeros<float>(Orders.Length, Positions, Channels);
        var mask = Tensor.Zeros<float>(Orders.Length, Positions);
        mask.Span.Fill(1);
        for (var (step, masked) = (0, Positions); step < Iterations; step++)
        {
            var z = await conditions(tokens, mask, cancel).ConfigureAwait(false);
            // At least one is left for the next iteration, and at least one is predicted in this one.
            masked = Math.Max(1, Math.Min(masked - 1, (int)Math.Floor(Positions * Math.Cos(Math.PI / 2 * (step + 1) / Iterations))));
            var places = Places(mask, masked, step == Iterations - 1);
            if (places.Count > 0)
            {
                var predicted = await head(Rows(z, places), Scale(masked), places, cancel).ConfigureAwait(false);
                tokens = Tensor.Create(tokens.Span.ToArray(), tokens.Shape);
                for (var i = 0; i < places.Count; i++) predicted.Slice(i).Span.CopyTo(tokens.Slice(places[i].Sample).Slice(places[i].Position).Span);
            }

            mask = NextMask(masked);
            yield return tokens;
        }
    }

    private float Scale(int masked) => Schedule switch
    {
        "linear" => 1 + (float)(Guidance - 1) * (Positions - masked) / Positions,
        "constant" => (float)Guidance,
        _ => throw new OptionsException(ErrorCodes.OptionRange, "There is no such course of guidance.") { Where = "cfg_schedule", Expected = "linear or constant", Found = Schedule },
    };

    private Tensor<float> NextMask(int masked)
    {
        var mask = Tensor.Zeros<float>(Orders.Length, Positions);
        for (var i = 0; i < Orders.Length; i++)
        {
            foreach (var place in Orders[i].AsSpan(0, masked)) mask.Slice(i).Span[(int)place] = 1;
        }

        return mask;
    }

    // Masked now and not masked in the next iteration, sample by sample, in the order of the sequence.
    private List<TokenPlace> Places(Tensor<float> mask, int masked, bool last)
    {
        var next = last ? null : NextMask(masked);
        var places = new List<TokenPlace>();
        for (var i = 0; i < mask.Length; i++)
        {
            if (next is null ? mask.Span[i] != 0 : mask.Span[i] != next.Span[i]) places.Add(new(i / Positions, i % Positions));
        }

        return places;
    }

    private Tensor<float> Rows(Tensor<float> z, List<TokenPlace> places)
    {
        var halves = (int)z.Shape[0] / Orders.Length;
        var rows = Tensor.Zeros<float>(halves * places.Count, z.Shape[2]);
        for (var i = 0; i < rows.Shape[0]; i++)
        {
            var (half, place) = (i / places.Count, places[i % places.Count]);
            z.Slice(half * Orders.Length + place.Sample).Slice(place.Position).Span.CopyTo(rows.Slice(i).Span);
        }

        return rows;
    }
}
