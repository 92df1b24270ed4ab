using System.Security.Cryptography;
using System.Text;

namespace ModelZoo.Host.Loading;

/// <summary>SHA-256 of a plugin: of its file, or of all files of its folder by name.</summary>
internal static class PluginDigest
{
    /// <summary>The digest in lower-case hex.</summary>
    public static string Of(string path)
    {
        if (File.Exists(path)) return Convert.ToHexStringLower(Hash(path));
        using var total = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Where(file => Path.GetExtension(file) is not (".pdb" or ".xml")).Order(StringComparer.Ordinal))
        {
            total.AppendData(Encoding.UTF8.GetBytes(Path.GetRelativePath(path, file).Replace('\\', '/') + "\0"));
            total.AppendData(Hash(file));
        }

        return Convert.ToHexStringLower(total.GetHashAndReset());
    }

    private static byte[] Hash(string file)
    {
        using var stream = File.OpenRead(file);
        return SHA256.HashData(stream);
    }
}
