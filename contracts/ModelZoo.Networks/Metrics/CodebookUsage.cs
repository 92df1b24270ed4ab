namespace ModelZoo.Networks.Metrics;

/// <summary>How evenly a codebook is used.</summary>
/// <param name="Counts">How often each code was seen.</param>
public sealed record CodebookUsage(long[] Counts)
{
    /// <summary>Of ids below <paramref name="codebookSize"/>.</summary>
    public static CodebookUsage Of(IEnumerable<long> ids, int codebookSize)
    {
        var counts = new long[codebookSize];
        foreach (var id in ids) counts[id]++;
        return new(counts);
    }

    /// <summary>Codes seen at least once.</summary>
    public long Used => Counts.LongCount(count => count > 0);

    /// <summary>Share of the codebook that was used.</summary>
    public double Usage => (double)Used / Counts.Length;

    /// <summary>exp of the entropy in nats, as in taming-transformers: the number of codes in effective use.</summary>
    public double Perplexity => Math.Exp(-Shares().Sum(p => p * Math.Log(p + 1e-10)));

    /// <summary>Entropy in bits: the rate of an ideal entropy coder.</summary>
    public double EntropyBits => -Shares().Where(p => p > 0).Sum(p => p * Math.Log2(p));

    private IEnumerable<double> Shares()
    {
        var total = (double)Counts.Sum();
        return Counts.Select(count => count / total);
    }
}
