using ModelZoo.Plugins.TextTokenizers;
using ModelZoo.Plugins.TextTokenizers.Formats;

namespace ModelZoo.Benchmarks.Tokenizers;

/// <summary>
/// Our ids beside those of the npm packages' own encoders, file by file: <c>exact --npm DIR [--tokenizer FILE]... PATH...</c>. Paths are texts or folders of them; files that are no UTF-8 or larger than 300 kB are left out.
/// </summary>
internal static class ExactComparison
{
    private const int LargestFile = 300_000;

    /// <summary>Writes a row an encoder, and each file whose ids differ. Returns the number of differences.</summary>
    public static int Run(string npm, IReadOnlyList<string> tokenizers, IReadOnlyList<string> paths, TextWriter output)
    {
        var texts = paths.SelectMany(Files).Where(IsText).Distinct().ToList();
        var folder = Directory.CreateTempSubdirectory("exact").FullName;
        var rows = NpmEncoders.Run(npm, folder, texts, tokenizers, output);
        output.WriteLine($"{texts.Count} files, {texts.Sum(text => new FileInfo(text).Length) / 1e6:0.0} MB");
        var differences = 0;
        foreach (var group in rows.GroupBy(row => row.Encoder))
        {
            var encode = Ours(npm, folder, group.Key);
            var (equal, tokens) = (0, 0L);
            foreach (var (_, file, digest, count) in group)
            {
                var ids = encode(File.ReadAllText(file));
                tokens += ids.Length;
                if (NodePeers.Digest(ids) == digest)
                {
                    equal++;
                    continue;
                }

                differences++;
                output.WriteLine($"  {group.Key}: {file}: {count} tokens, ours {ids.Length}");
            }

            output.WriteLine($"{group.Key}: {equal} of {group.Count()} files equal, {tokens} tokens");
        }

        Directory.Delete(folder, recursive: true);
        return differences;
    }

    private static Func<string, int[]> Ours(string npm, string folder, string encoder)
    {
        if (encoder.Split(' ') is ["tiktoken" or "gpt-tokenizer", var name])
        {
            var encoding = NpmVocabulary.Load(npm, name);
            return text => encoding.EncodeOrdinary(text);
        }

        if (encoder.StartsWith('@'))
        {
            var claude = NpmVocabulary.Load(Path.Combine(npm, "node_modules", "@anthropic-ai", "tokenizer", "claude.json"));
            // .NET's own normalization leaves text as it is in globalization-invariant mode.
            var nfkc = TokenizerJson.Parse("""{"normalizer":{"type":"NFKC"},"added_tokens":[],"model":{"type":"WordLevel","vocab":{"?":0},"unk_token":"?"}}"""u8.ToArray()).Normalizer!;
            return text => claude.EncodeOrdinary(nfkc.Normalize(text));
        }

        PipelineTokenizer tokenizer = TokenizerJson.Load(encoder.StartsWith("tokenizers ", StringComparison.Ordinal) ? encoder["tokenizers ".Length..] : Path.Combine(folder, encoder + ".json"));
        return text => tokenizer.EncodeToIds(text);
    }

    private static IEnumerable<string> Files(string path) => Directory.Exists(path) ? Directory.EnumerateFiles(path, "*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }).Order(StringComparer.Ordinal) : [path];

    private static bool IsText(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists || file.Length is 0 or > LargestFile) return false;
        var bytes = File.ReadAllBytes(path);
        return System.Text.Unicode.Utf8.IsValid(bytes) && !bytes.AsSpan().Contains((byte)0);
    }
}
