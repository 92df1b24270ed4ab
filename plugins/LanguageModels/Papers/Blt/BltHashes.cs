using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Rows of the hashed embeddings of runs of bytes (section 3.2.1): a polynomial over the ids of the run that ends at a byte, with zeros before the first, modulo the table's rows. Products wrap at 64 bits.</summary>
internal sealed class BltHashes(BltConfig config)
{
    private static readonly long[] Primes =
        [1000000007, 5915587277, 1500450271, 3267000013, 5754853343, 4093082899, 9576890767, 3628273133, 2860486313, 5463458053, 3367900313];

    /// <summary>Rows of the bytes from <paramref name="start"/> on, table by table: (bytes, tables).</summary>
    /// <param name="ids">All ids so far.</param>
    /// <param name="start">The first byte that is wanted.</param>
    public Tensor<long> Rows(ReadOnlySpan<int> ids, int start)
    {
        var rows = Tensor.Zeros<long>(ids.Length - start, config.HashTables);
        for (var at = start; at < ids.Length; at++)
        {
            var table = 0;
            for (var function = 0; function < config.EncoderHashByteGroupNbFunctions; function++)
            {
                foreach (var group in config.EncoderHashByteGroupSize) rows[at - start, table++] = Row(ids[..(at + 1)], group, Primes[function % Primes.Length]);
            }
        }

        return rows;
    }

    private long Row(ReadOnlySpan<int> ids, int group, long prime)
    {
        var (sum, power) = (0L, 1L);
        for (var i = 0; i < group; i++)
        {
            var at = ids.Length - group + i;
            sum = unchecked(sum + (at < 0 ? 0 : ids[at]) * power);
            power = unchecked(power * prime);
        }

        var rest = sum % config.EncoderHashByteGroupVocab;
        return rest < 0 ? rest + config.EncoderHashByteGroupVocab : rest;
    }
}
