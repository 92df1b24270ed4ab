using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Motion;

/// <summary>Whole numbers by chance, the same for the same seed.</summary>
/// <param name="seed">Seed.</param>
/// <param name="repeat">Number of the repeat.</param>
/// <param name="draw">Number of the series within it.</param>
internal sealed class SeededChoice(ulong seed, int repeat, int draw)
{
    private readonly Philox _philox = Philox.Of(seed, repeat, draw);
    private ulong _position;

    /// <summary>A number from 0, below another.</summary>
    public int Below(int count) => Math.Min((int)(_philox.Uniform(_position++) * count), count - 1);

    /// <summary>So many of the first <paramref name="count"/> numbers, in an order by chance, none twice.</summary>
    public long[] Of(int count, int many)
    {
        var numbers = Enumerable.Range(0, count).Select(i => (long)i).ToArray();
        for (var i = 0; i < many; i++)
        {
            var other = i + Below(count - i);
            (numbers[i], numbers[other]) = (numbers[other], numbers[i]);
        }

        return numbers[..many];
    }
}
