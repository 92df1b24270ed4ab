using System.Security.Cryptography;
using System.Text;

namespace ModelZoo.Host.Serving;

/// <summary>Keys of users and of administrators. Only their digests are held; comparing takes the same time whatever the key.</summary>
internal sealed class AccessKeys
{
    private readonly byte[][] _users;
    private readonly byte[][] _administrators;

    public AccessKeys(IEnumerable<string> users, IEnumerable<string> administrators) => (_users, _administrators) = (Digests(users), Digests(administrators));

    /// <summary>No keys.</summary>
    public static AccessKeys None { get; } = new([], []);

    public bool HasUsers => _users.Length > 0;

    public bool HasAdministrators => _administrators.Length > 0;

    /// <summary>True when the key opens what users may do; an administrator's key does too.</summary>
    public bool OpensVerbs(string? key) => !HasUsers || IsOneOf(key, _users) | IsOneOf(key, _administrators);

    /// <summary>True when the key opens what administrators may do.</summary>
    public bool OpensAdministration(string? key) => HasAdministrators ? IsOneOf(key, _administrators) : !HasUsers;

    // Every key is compared, so that the time does not tell which one was near.
    private static bool IsOneOf(string? key, byte[][] digests)
    {
        if (key is null) return false;
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), digest);
        var found = false;
        foreach (var known in digests) found |= CryptographicOperations.FixedTimeEquals(known, digest);
        return found;
    }

    private static byte[][] Digests(IEnumerable<string> keys) => [.. keys.Select(key => SHA256.HashData(Encoding.UTF8.GetBytes(key)))];
}
