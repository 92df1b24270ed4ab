using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

/// <summary>Tokenizers that a caption guides, over tiny published folders with a text encoder drawn at random beside the weights.</summary>
public sealed class CaptionTests : IDisposable
{
    private const string Clip = """{"vocab_size": 54, "hidden_size": 24, "intermediate_size": 32, "projection_dim": 8, "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 7, "eos_token_id": 53}""";
    private static readonly ClipTextConfig ClipSizes = new() { VocabSize = 54, HiddenSize = 24, IntermediateSize = 32, ProjectionDim = 8, NumHiddenLayers = 2, NumAttentionHeads = 3, MaxPositionEmbeddings = 7, EosTokenId = 53 };
    private readonly string _folder = Directory.CreateTempSubdirectory("captions").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("ta-titok/tiny-vae")]
    [InlineData("textok/tiny")]
    public async Task Detokenize_WithACaption_GivesAnotherPictureThanWithout(string name)
    {
        Copy(name);
        if (name.StartsWith("textok", StringComparison.Ordinal)) WriteT5();
        else WriteClip();
        await using var model = await OpenAsync(name);
        var tokenizer = model.Get<ITokenize>();
        var tokens = await tokenizer.TokenizeAsync(Picture(), new ImageTokenizerOptions { Caption = "a cat" });
        async Task<float[]> Paint(string? caption) => ((Image)await tokenizer.DetokenizeAsync(tokens, new ImageTokenizerOptions { Caption = caption })).Pixels.Span.ToArray();
        var cat = await Paint("a cat");
        Assert.Equal(cat, await Paint("a cat"));
        Assert.NotEqual(cat, await Paint("two dogs"));
        Assert.NotEqual(cat, await Paint(null));
        Assert.Equal(await Paint(""), await Paint(null));
        Assert.NotEmpty(await Paint(string.Join(' ', Enumerable.Repeat("a very long caption", 40))));
    }

    // What the plugin gives is what the authors' call gives for features that the test computes from ids written by hand.
    [Fact]
    public async Task Detokenize_TaTiTokWithACaption_IsTheAuthorsCallWithClipsFeatures()
    {
        Copy("ta-titok/tiny-vae");
        WriteClip();
        await using var model = await OpenAsync("ta-titok/tiny-vae");
        var tokens = await model.Get<ITokenize>().TokenizeAsync(Picture(), new ImageTokenizerOptions());
        var painted = (Image)await model.Get<ITokenize>().DetokenizeAsync(tokens, new ImageTokenizerOptions { Caption = "Ab" });

        using var checkpoint = Checkpoint.Open(Path.Combine(_folder, "clip"));
        using var clip = Network.Build(NetworkContext.Of(Source("ta-titok/tiny-vae"), checkpoint), "clip", scope => scope.Graph.Output("features", ClipText.Encode(scope, scope.Graph.Input("ids", ElementType.Int64, [1, 7]), ClipSizes).LastHiddenState));
        var features = clip.Run(default, ("ids", Tensor.Create<long>([52, 0, 27, 53, 0, 0, 0], 1, 7)))["features"];
        var latent = tokens.Extras["latent"].As<float>();                                  // (N, C)
        var columns = Tensor.Zeros<float>(1, latent.Shape[1], 1, latent.Shape[0]);
        for (var n = 0; n < latent.Shape[0]; n++)
        {
            for (var c = 0; c < latent.Shape[1]; c++) columns[0, c, 0, n] = latent[n, c];
        }

        var expected = (await model.Get<IReferenceCalls>().CallAsync("decode_tokens", new CallArguments().With("tokens", columns).With("text_guidance", features))).Tensor("reconstruction").As<float>();
        for (var i = 0; i < expected.Length; i++) Assert.Equal(Math.Clamp(expected.Span[i], 0, 1), painted.Pixels.Span[i], 1e-5f);
    }

    [Theory]
    [InlineData("ta-titok/tiny-vae", "clip")]
    [InlineData("textok/tiny", "t5")]
    public async Task Tokenize_CaptionWithoutTheTextEncoder_SaysWhichFolderToPutWhere(string name, string folder)
    {
        Copy(name);
        await using var model = await OpenAsync(name);
        var error = await Assert.ThrowsAsync<CheckpointException>(async () => await model.Get<ITokenize>().TokenizeAsync(Picture(), new ImageTokenizerOptions { Caption = "a cat" }));
        Assert.Equal((ErrorCodes.CheckpointMissing, Path.Combine(_folder, folder)), (error.Code, error.Where));
        Assert.Contains(Path.Combine(_folder, folder), error.Remedy, StringComparison.Ordinal);
        var tokens = await model.Get<ITokenize>().TokenizeAsync(Picture(), new ImageTokenizerOptions());
        Assert.IsType<Image>(await model.Get<ITokenize>().DetokenizeAsync(tokens, new ImageTokenizerOptions()));
    }

    [Fact]
    public async Task Detokenize_TextEncoderOfAnotherWidth_IsRefused()
    {
        Copy("textok/tiny");
        WriteT5(width: 12);
        await using var model = await OpenAsync("textok/tiny");
        var error = await Assert.ThrowsAsync<CheckpointException>(async () => await model.Get<ITokenize>().TokenizeAsync(Picture(), new ImageTokenizerOptions { Caption = "a cat" }));
        Assert.Equal((ErrorCodes.ConfigInvalid, "width 20", "width 12"), (error.Code, error.Expected, error.Found));
    }

    [Fact]
    public async Task Tokenize_CaptionForAMethodWithout_IsRefused()
    {
        Copy("one-d-piece/tiny");
        await using var model = await OpenAsync("one-d-piece/tiny");
        var error = await Assert.ThrowsAsync<OptionsException>(async () => await model.Get<ITokenize>().TokenizeAsync(Picture(), new ImageTokenizerOptions { Caption = "a cat" }));
        Assert.Equal("caption", error.Where);
    }

    private ModelSource Source(string name) => new() { Id = ModelId.Parse($"image-tokenizers/{name.Split('/')[0]}.tiny"), Folder = _folder, Services = HostServices.Instance };

    private ValueTask<IModel> OpenAsync(string name) => new ImageTokenizersPlugin().Architectures.Single(architecture => architecture.Card.Id == $"image-tokenizers/{name.Split('/')[0]}").Open(Source(name), default);

    private static Image Picture()
    {
        var pixels = Tensor.Zeros<float>(3, 16, 16);
        for (var i = 0; i < pixels.Length; i++) pixels.Span[i] = i % 37 / 37f;
        return new(pixels);
    }

    private void WriteClip()
    {
        var folder = Write("clip", Clip, Network.Inventory(scope => ClipText.Encode(scope, scope.Graph.Input("ids", ElementType.Int64, [1, 7]), ClipSizes)));
        var letters = Enumerable.Range('a', 26).Select(letter => ((char)letter).ToString()).ToList();
        var words = letters.Concat(letters.Select(letter => letter + "</w>")).Append("<|startoftext|>").Append("<|endoftext|>").Select((piece, id) => $"\"{piece}\": {id}");
        File.WriteAllText(Path.Combine(folder, "vocab.json"), $"{{{string.Join(", ", words)}}}");
        File.WriteAllText(Path.Combine(folder, "merges.txt"), "#version: 0.2\n");
    }

    private void WriteT5(int width = 20)
    {
        var sizes = new T5Config { VocabSize = 1200, DModel = width, DKv = 4, DFf = 16, NumLayers = 2, NumHeads = 3 };
        var folder = Write("t5", $$"""{"model_type": "t5", "vocab_size": 1200, "d_model": {{width}}, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 3}""", Network.Inventory(scope => T5Encoder.Encode(scope, scope.Graph.Input("ids", ElementType.Int64, [1, 7]), sizes)));
        File.Copy(Repository.Path("tests", "ModelZoo.Networks.Tests", "Encoders", "tokenizers", "unigram-charsmap-a", "tokenizer.model"), Path.Combine(folder, "spiece.model"));
    }

    private string Write(string part, string config, IReadOnlyList<string> inventory)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder, part)).FullName;
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        var (random, tensors) = (new Random(7), new Dictionary<string, Tensor>());
        foreach (var line in inventory)
        {
            var at = line.LastIndexOf('[');
            var tensor = Tensor.Zeros<float>([.. line[(at + 1)..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(long.Parse)]);
            for (var i = 0; i < tensor.Length; i++) tensor.Span[i] = random.NextSingle() - 0.5f;
            tensors[line[..at].Trim()] = tensor;
        }

        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), tensors);
        return folder;
    }

    private void Copy(string name)
    {
        foreach (var file in Directory.GetFiles(Repository.Path("tests", "parity", "image-tokenizers", name, "checkpoint"))) File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
    }
}
