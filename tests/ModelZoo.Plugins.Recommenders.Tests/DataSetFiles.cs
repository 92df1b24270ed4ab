using System.Runtime.InteropServices;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Recommenders.Tests;

/// <summary>The files that a data set brings beside a parity case's small checkpoint, without which nothing can be recommended: items' features, their index, prompts.</summary>
internal static class DataSetFiles
{
    /// <summary>Writes them into the checkpoint's folder.</summary>
    public static void Write(string architecture, string folder)
    {
        void Text(string name, string text) => File.WriteAllText(Path.Combine(folder, name), text);
        switch (architecture)
        {
            case "recgpt-fsq":
                WriteTable(Path.Combine(folder, "item_text_embeddings.npy"), Noise(40, 32));
                break;
            case "unigrec":
                WriteTable(Path.Combine(folder, "item_emb.npy"), Noise(40, 20));
                break;
            case "setrec" or "setrec-qwen":
                WriteTable(Path.Combine(folder, "toys.emb-t5-tdcb.npy"), Noise(25, 20));
                Text("setrec.json", File.ReadAllText(Path.Combine(folder, "setrec.json")).TrimEnd().TrimEnd('}') + ", \"instruction_ids\": [5, 6, 7], \"response_ids\": [8]}");
                break;
            case "letter-lcrec":
                var items = Enumerable.Range(0, 40).Select(i => (Id: i, Tokens: new[] { $"<a_{i % 5}>", $"<b_{i / 5}>" })).ToArray();
                Text("toys.index.json", $"{{{string.Join(", ", items.Select(item => $"\"{item.Id}\": [\"{item.Tokens[0]}\", \"{item.Tokens[1]}\"]"))}}}");
                Text("added_tokens.json", $"{{{string.Join(", ", items.SelectMany(item => item.Tokens).Distinct().Select((token, i) => $"\"{token}\": {20 + i}"))}}}");
                Text("prompt.json", "{\"before\": [1, 5, 6], \"between\": [7], \"after\": [8, 9]}");
                break;
        }
    }

    /// <summary>Numbers of -1..1.</summary>
    public static Tensor<float> Noise(int rows, int width)
    {
        var random = new Random(7);
        return Tensor.Create([.. Enumerable.Range(0, rows * width).Select(_ => (float)(2 * random.NextDouble() - 1))], rows, width);
    }

    // Version 1 of numpy's format.
    private static void WriteTable(string path, Tensor<float> table)
    {
        var header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({table.Shape[0]}, {table.Shape[1]}), }}".PadRight(117) + "\n";
        File.WriteAllBytes(path, [0x93, .. "NUMPY"u8, 1, 0, .. BitConverter.GetBytes((ushort)header.Length), .. Encoding.ASCII.GetBytes(header), .. MemoryMarshal.AsBytes(table.Span)]);
    }
}
