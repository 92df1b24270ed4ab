using System.Text;
using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case: calls get the case's own lines, and models of bytes its own bytes.</summary>
public sealed class TextTokenizersPluginLaws : PluginLaws<TextTokenizersPlugin>
{
    protected override IEnumerable<LawSample> Samples => LawSample.OfCases("text-tokenizers").Select(WithLines);

    // Their first call needs arguments beside the lines, or more than one file.
    protected override IReadOnlySet<string> Untried => new HashSet<string>
    {
        "text-tokenizers/boundlessbpe generate", "text-tokenizers/bytespan generate", "text-tokenizers/omp-tokenizer-transplant generate", "text-tokenizers/tokenadapt generate",
    };

    private LawSample WithLines(LawSample sample)
    {
        if (Untried.Contains(sample.Model + " generate")) return sample;
        var folder = Directory.EnumerateDirectories(Repository.Path(["tests", "parity", .. sample.Model.Split('/')])).Order(StringComparer.Ordinal).First();
        var file = Array.Find(["inputs-learn.jsonl", "inputs.jsonl", "inputs-align.jsonl", "inputs-measure.jsonl", "inputs-diagnose.jsonl", "inputs-train.jsonl"], name => File.Exists(Path.Combine(folder, name)));
        if (file is null) return sample;
        var lines = File.ReadAllText(Path.Combine(folder, file));
        Media? input = sample.Model switch
        {
            "text-tokenizers/bpe-symbolic-music" => Bytes(JsonElement.Parse(lines[..lines.IndexOf('\n', StringComparison.Ordinal)]).GetProperty("midi").GetBytesFromBase64()),
            "text-tokenizers/binary-bpe" => Bytes([0, 255, .. Encoding.UTF8.GetBytes("MZ\u0000 text")]),
            "text-tokenizers/zip2zip" => new Tokens(new("test/base", TokenLayout.Flat, [30], "digest"), Tensor.Create([3, 4, 3, 4, 3, 4, 5], 7)),
            _ => null,
        };
        return sample with { Prompt = new(null, [new Text(lines)]), Input = input, FindsInputs = input is null };
    }

    private static NamedTensors Bytes(byte[] bytes) => new(new Dictionary<string, Tensor> { ["bytes"] = Tensor.Create(bytes, bytes.Length) });
}
