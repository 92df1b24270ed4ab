using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Motion;

/// <summary>Where a sampler takes its uniform numbers from: a seeded generator, or given ones; null draws nothing, and the likeliest id is taken.</summary>
internal sealed class Draws
{
    private readonly Tensor<float>? _given;
    private readonly ulong _seed;
    private int _next;

    private Draws(Tensor<float>? given, ulong seed) => (_given, _seed) = (given, seed);

    /// <summary>Given numbers (draws, ...), one slice a draw.</summary>
    public static Draws? Given(Tensor<float>? uniform) => uniform is null ? null : new(uniform, 0);

    /// <summary>What a reference call says: numbers for <c>rand_pos</c>, nothing otherwise.</summary>
    public static Draws? Of(CallArguments arguments)
    {
        var given = Given(arguments.FindTensor<float>("uniform"));
        return arguments.Literal("rand_pos", given is not null) ? given : null;
    }

    /// <summary>Numbers of the project's generator: a stream for each draw, so that they do not depend on how many are taken.</summary>
    public static Draws Seeded(ulong seed) => new(null, seed);

    /// <summary>The next <paramref name="count"/> numbers in (0, 1).</summary>
    /// <exception cref="ModelZooException">More draws were asked for than were given.</exception>
    public float[] Next(int count)
    {
        var draw = _next++;
        if (_given is not null)
        {
            if (draw >= _given.Shape[0]) throw new ModelZooException(ErrorCodes.VerbUnsupported, "The call gives too few uniform numbers.") { Expected = $"more than {_given.Shape[0]} draws" };
            return _given.Slice(draw).Span.ToArray();
        }

        var wide = new double[count];
        Philox.Of(_seed, 0, draw + 1).FillUniform(wide);
        return Array.ConvertAll(wide, value => (float)value);
    }

    /// <summary>argmax of logits + Gumbel noise -log(-log u), which draws from their softmax; without noise the first of the largest.</summary>
    public static int Choose(ReadOnlySpan<float> logits, ReadOnlySpan<float> uniform)
    {
        var (best, id) = (float.NegativeInfinity, 0);
        for (var i = 0; i < logits.Length; i++)
        {
            var value = uniform.IsEmpty ? logits[i] : logits[i] + Gumbel(uniform[i]);
            if (value > best) (best, id) = (value, i);
        }

        return id;
    }

    /// <summary>-log(-log u), both logarithms of numbers of at least 1e-20.</summary>
    public static float Gumbel(float uniform) => -MathF.Log(MathF.Max(-MathF.Log(MathF.Max(uniform, 1e-20f)), 1e-20f));
}
