using System.Globalization;
using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Benchmarks.Tokenizers;

/// <summary>The real vocabularies that the npm package <c>tiktoken</c> carries.</summary>
internal static class NpmVocabulary
{
    /// <summary>The encoding of that name.</summary>
    /// <param name="npm">Folder with node_modules.</param>
    /// <param name="name">Such as cl100k_base.</param>
    public static TiktokenEncoding Load(string npm, string name) => Load(Path.Combine(npm, "node_modules", "tiktoken", "encoders", name + ".json"));

    /// <summary>The encoding of a file of that package's form.</summary>
    public static TiktokenEncoding Load(string path)
    {
        using var file = JsonDocument.Parse(File.ReadAllBytes(path));
        var ranks = new TokenTable(0);
        foreach (var line in file.RootElement.GetProperty("bpe_ranks").GetString()!.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            // "! FIRST token token ...": tokens in base64, their ranks rising from FIRST.
            var parts = line.Split(' ');
            var rank = int.Parse(parts[1], CultureInfo.InvariantCulture);
            foreach (var token in parts.AsSpan(2)) ranks.Add(Convert.FromBase64String(token), rank++);
        }

        var special = file.RootElement.GetProperty("special_tokens").EnumerateObject().ToDictionary(token => token.Name, token => token.Value.GetInt32());
        return new(Path.GetFileNameWithoutExtension(path), ranks, file.RootElement.GetProperty("pat_str").GetString()!, special);
    }

    /// <summary>Writes the ranks as a .tiktoken file and gives its path.</summary>
    public static string WriteRanks(TiktokenEncoding encoding, string folder)
    {
        var path = Path.Combine(folder, encoding.Name + ".tiktoken");
        File.WriteAllLines(path, encoding.Ids.Where(id => !encoding.IsSpecial(id)).Select(id => $"{Convert.ToBase64String(encoding.BytesOf(id))} {id}"));
        return path;
    }
}
