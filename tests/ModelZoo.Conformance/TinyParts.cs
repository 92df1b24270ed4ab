using System.Globalization;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Conformance;

/// <summary>Writes parts of published models with tiny weights drawn at random, so that whole pipelines run in tests.</summary>
public static class TinyParts
{
    /// <summary>Weights of every name and shape of an inventory, evenly in -0.3..0.3.</summary>
    /// <param name="file">The .safetensors file to write.</param>
    /// <param name="inventory">Lines of <see cref="Network.Inventory"/>.</param>
    /// <param name="seed">Draws.</param>
    public static void Weights(string file, IReadOnlyList<string> inventory, int seed = 7)
    {
        var (random, tensors) = (new Random(seed), new Dictionary<string, Tensor>());
        foreach (var line in inventory)
        {
            var at = line.LastIndexOf('[');
            var tensor = Tensor.Zeros<float>([.. line[(at + 1)..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(extent => long.Parse(extent, CultureInfo.InvariantCulture))]);
            for (var i = 0; i < tensor.Length; i++) tensor.Span[i] = (random.NextSingle() - 0.5f) * 0.6f;
            tensors[line[..at].Trim()] = tensor;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        SafetensorsWriter.Write(file, tensors);
    }

    /// <summary>A CLIP text encoder: <c>config.json</c> and <c>model.safetensors</c>.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="width">Width of its states.</param>
    /// <param name="projection">Width of the space that it shares with pictures; null for an encoder without projection.</param>
    /// <param name="layers">Layers.</param>
    /// <param name="seed">Draws.</param>
    /// <param name="positions">Tokens of a text.</param>
    public static void Clip(string folder, int width, int? projection = null, int layers = 2, int seed = 7, int positions = 77)
    {
        Directory.CreateDirectory(folder);
        var config = new ClipTextConfig { VocabSize = 514, HiddenSize = width, IntermediateSize = 16, NumHiddenLayers = layers, NumAttentionHeads = 2, MaxPositionEmbeddings = positions, ProjectionDim = projection ?? 512, BosTokenId = 512, EosTokenId = 513, PadTokenId = 513 };
        File.WriteAllText(Path.Combine(folder, "config.json"), $$"""
            {"model_type": "clip_text_model", "vocab_size": 514, "hidden_size": {{width}}, "intermediate_size": 16, "num_hidden_layers": {{layers}}, "num_attention_heads": 2, "max_position_embeddings": {{positions}}, "projection_dim": {{config.ProjectionDim}}, "bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
            """);
        Weights(Path.Combine(folder, "model.safetensors"), Network.Inventory(scope =>
        {
            var text = ClipText.Encode(scope, scope.Graph.Input("ids", ElementType.Int64, [1, positions]), config);
            scope.Graph.Output("states", projection is null ? text.LastHiddenState : ClipText.Project(scope, text.Pooled, config.ProjectionDim));
        }), seed);
    }

    /// <summary>CLIP's tokenizer with the bytes alone: <c>vocab.json</c> and an empty <c>merges.txt</c>.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="letters">The characters that it knows; null for all bytes.</param>
    public static void ClipTokenizer(string folder, string? letters = null)
    {
        Directory.CreateDirectory(folder);
        var symbols = (letters?.Select(letter => (int)letter) ?? Enumerable.Range(33, 94).Concat(Enumerable.Range(161, 12)).Concat(Enumerable.Range(174, 82)).Concat(Enumerable.Range(256, 68))).Select(code => ((char)code).ToString()).ToList();
        var vocabulary = symbols.Concat(symbols.Select(symbol => symbol + "</w>")).Concat(["<|startoftext|>", ClipWords.End]).Select((token, id) => (token, id)).ToDictionary(entry => entry.token, entry => entry.id);
        File.WriteAllText(Path.Combine(folder, "vocab.json"), JsonSerializer.Serialize(vocabulary));
        File.WriteAllText(Path.Combine(folder, "merges.txt"), "#version: 0.2\n");
    }

    /// <summary>A T5 encoder for a vocabulary of up to 1200: <c>config.json</c> and <c>model.safetensors</c>.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="width">Width of its states.</param>
    /// <param name="seed">Draws.</param>
    public static void T5(string folder, int width, int seed = 7)
    {
        Directory.CreateDirectory(folder);
        var config = new T5Config { VocabSize = 1200, DModel = width, DKv = 4, DFf = 16, NumLayers = 2, NumHeads = 3, FeedForwardProj = "gated-gelu" };
        File.WriteAllText(Path.Combine(folder, "config.json"), $$"""{"model_type": "t5", "vocab_size": 1200, "d_model": {{width}}, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 3, "feed_forward_proj": "gated-gelu"}""");
        Weights(Path.Combine(folder, "model.safetensors"), Network.Inventory(scope =>
            scope.Graph.Output("states", T5Encoder.Encode(scope, scope.Graph.Input("ids", ElementType.Int64, [1, 16]), config, scope.Graph.Input("mask", ElementType.Int64, [1, 16])).LastHiddenState)), seed);
    }

    /// <summary>A SentencePiece tokenizer with T5's marks and single letters alone: padding 0, end 1, unknown 2, space 3, then the letters.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="letters">The letters that it knows.</param>
    public static void Pieces(string folder, string letters)
    {
        // Protocol buffers: pieces are field 1 (text, score, kind), the trainer's settings field 2 (begin -1, end 1, padding 0).
        (string Text, byte Kind)[] pieces = [("<pad>", 3), ("</s>", 3), ("<unk>", 2), ("\u2581", 1), .. letters.Select(letter => (letter.ToString(), (byte)1))];
        List<byte> file = [];
        foreach (var (text, kind) in pieces)
        {
            var bytes = System.Text.Encoding.UTF8.GetBytes(text);
            byte[] piece = [0x0A, (byte)bytes.Length, .. bytes, 0x15, .. BitConverter.GetBytes(-1f), 0x18, kind];
            file.AddRange([0x0A, (byte)piece.Length, .. piece]);
        }

        byte[] minusOne = [.. Enumerable.Repeat((byte)0xFF, 9), 0x01], settings = [0xC8, 0x02, .. minusOne, 0xD0, 0x02, 0x01, 0xD8, 0x02, 0x00];
        file.AddRange([0x12, (byte)settings.Length, .. settings]);
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "spiece.model"), [.. file]);
    }

    /// <summary>A data set's statistics as NumPy writes them: <c>mean.npy</c> of zeros and <c>std.npy</c> of ones.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="features">Numbers of a frame.</param>
    public static void Statistics(string folder, int features)
    {
        foreach (var (file, value) in ((string, float)[])[("mean.npy", 0), ("std.npy", 1)])
        {
            var header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({features},), }}";
            header = header.PadRight((10 + header.Length + 64) / 64 * 64 - 11) + "\n";
            byte[] content = [0x93, .. "NUMPY"u8, 1, 0, .. BitConverter.GetBytes((ushort)header.Length), .. System.Text.Encoding.ASCII.GetBytes(header), .. Enumerable.Repeat(value, features).SelectMany(BitConverter.GetBytes)];
            File.WriteAllBytes(Path.Combine(folder, file), content);
        }
    }

    /// <summary>Copies the files of a folder of the repository.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="from">Path within the repository, with slashes.</param>
    public static void Copy(string folder, string from)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.GetFiles(Repository.Path(from.Split('/')))) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
    }
}
