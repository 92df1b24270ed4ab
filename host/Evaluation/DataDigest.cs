using System.Security.Cryptography;

namespace ModelZoo.Host.Evaluation;

/// <summary>SHA-256 over the digests of the examples that were used, in their order: parts of a data set can be digested apart.</summary>
internal sealed class DataDigest : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Examples so far.</summary>
    public int Examples { get; private set; }

    /// <summary>Takes the digest of the next example.</summary>
    public void Add(string example)
    {
        Examples++;
        _hash.AppendData(Convert.FromHexString(example));
    }

    public void Dispose() => _hash.Dispose();

    /// <summary>The digest in lower-case hex.</summary>
    public override string ToString() => Convert.ToHexStringLower(_hash.GetCurrentHash());
}
