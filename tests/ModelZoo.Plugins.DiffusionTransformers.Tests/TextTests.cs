using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;
using ModelZoo.Plugins.DiffusionTransformers.PixArt;
using ModelZoo.Plugins.DiffusionTransformers.Sana;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>Text to picture over a pipeline's published folder, with weights drawn at random: the parts fit together, and the laws of generation hold.</summary>
public sealed class TextTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pipeline").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Generate_PixArtSigma_GivesPicturesAndKeepsTheLaws()
    {
        WritePixArt();
        await KeepsTheLawsAsync(PixArtModel.Sigma, new() { Steps = 4, PreviewEvery = 2 });
    }

    [Fact]
    public async Task Generate_Sana_GivesPicturesAndKeepsTheLaws()
    {
        WriteSana();
        await KeepsTheLawsAsync(SanaModel.Architecture, new() { Steps = 4, PreviewEvery = 2 });
    }

    private async Task KeepsTheLawsAsync(ModelArchitecture architecture, TextOptions options)
    {
        await using var model = await architecture.Open(new() { Id = ModelId.Parse(architecture.Card.Id + ".tiny"), Folder = _folder, Services = HostServices.Instance }, CancellationToken.None);
        var steps = await GenerateAsync(model, "a small cat", options);
        Assert.Equal([1, 2, 3, 4], steps.Select(step => step.Step));
        Assert.Equal([2, 4], steps.Where(step => step.Result is not null).Select(step => step.Step));
        var picture = steps[^1].Result!.Pixels;
        Assert.Equal(3, picture.Shape[0]);
        Assert.All(picture.Span.ToArray(), pixel => Assert.InRange(pixel, 0, 1));

        Assert.Equal(picture.Span.ToArray(), (await GenerateAsync(model, "a small cat", options))[^1].Result!.Pixels.Span.ToArray());
        Assert.NotEqual(picture.Span.ToArray(), (await GenerateAsync(model, "a small cat", options, seed: 2))[^1].Result!.Pixels.Span.ToArray());
        Assert.NotEqual(picture.Span.ToArray(), (await GenerateAsync(model, "two dogs", options))[^1].Result!.Pixels.Span.ToArray());
        Assert.NotEqual(picture.Span.ToArray(), (await GenerateAsync(model, "a small cat", options with { NegativePrompt = "two dogs" }))[^1].Result!.Pixels.Span.ToArray());

        var pair = (await GenerateAsync(model, "a small cat", options with { Count = 2 }))[^1].Result!.Pixels;
        Assert.Equal([3, picture.Shape[1], 2 * picture.Shape[2]], pair.Shape.ToArray());
        for (var y = 0; y < picture.Shape[1]; y++)
        {
            for (var x = 0; x < picture.Shape[2]; x++) Assert.Equal(picture[0, y, x], pair[0, y, x], 4);
        }

        await Assert.ThrowsAsync<OptionsException>(() => GenerateAsync(model, "a small cat", options with { Height = 9 }));
        using var source = new CancellationTokenSource();
        var seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var step in model.Get<IGenerate>().GenerateAsync(new("a small cat"), options, 0, source.Token))
            {
                seen = step.Step;
                await source.CancelAsync();
            }
        });
        Assert.Equal(1, seen);
    }

    private static async Task<List<Generation<Image>>> GenerateAsync(IModel model, string prompt, TextOptions options, ulong seed = 1)
    {
        var steps = new List<Generation<Image>>();
        await foreach (var step in model.Get<IGenerate>().GenerateAsync(new(prompt), options, seed)) steps.Add((Generation<Image>)step);
        return steps;
    }

    private void WritePixArt()
    {
        var config = new DiffusersPixArtConfig { NumAttentionHeads = 2, AttentionHeadDim = 8, InChannels = 4, OutChannels = 8, NumLayers = 2, CrossAttentionDim = 16, SampleSize = 8, UseAdditionalConditions = false, CaptionChannels = 12 };
        Write("transformer", """{"_class_name": "PixArtTransformer2DModel", "num_attention_heads": 2, "attention_head_dim": 8, "in_channels": 4, "out_channels": 8, "num_layers": 2, "cross_attention_dim": 16, "sample_size": 8, "use_additional_conditions": false, "caption_channels": 12}""",
            "diffusion_pytorch_model.safetensors", TextNetwork.Inventory(DiffusersPixArtNetwork.Conditions(config), 8, 8, (scope, inputs) => DiffusersPixArtNetwork.Build(scope, inputs, config)));
        var t5 = new T5Config { VocabSize = 1200, DModel = 12, DKv = 4, DFf = 16, NumLayers = 2, NumHeads = 3, FeedForwardProj = "gated-gelu" };
        Write("text_encoder", """{"model_type": "t5", "vocab_size": 1200, "d_model": 12, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 3, "feed_forward_proj": "gated-gelu"}""", "model.safetensors",
            Network.Inventory(scope => T5Encoder.Encode(scope, Ids(scope, "ids"), t5, Ids(scope, "mask"))));
        Write("scheduler", """{"_class_name": "DPMSolverMultistepScheduler", "num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "solver_order": 2, "prediction_type": "epsilon", "algorithm_type": "dpmsolver++"}""");
        Copy("vae", "tests/parity/image-tokenizers/autoencoder-kl/sd-old-attention-names/checkpoint");
        Copy("tokenizer", "tests/ModelZoo.Networks.Tests/Encoders/tokenizers/unigram-charsmap-a");
    }

    private void WriteSana()
    {
        var config = new SanaConfig { InChannels = 8, OutChannels = 8, NumAttentionHeads = 2, AttentionHeadDim = 8, NumLayers = 2, NumCrossAttentionHeads = 2, CrossAttentionHeadDim = 8, CrossAttentionDim = 16, CaptionChannels = 12, SampleSize = 8 };
        Write("transformer", """{"_class_name": "SanaTransformer2DModel", "in_channels": 8, "out_channels": 8, "num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "num_cross_attention_heads": 2, "cross_attention_head_dim": 8, "cross_attention_dim": 16, "caption_channels": 12, "sample_size": 8}""",
            "diffusion_pytorch_model.safetensors", TextNetwork.Inventory(SanaNetwork.Conditions(config), 8, 8, (scope, inputs) => SanaNetwork.Build(scope, inputs, config)));
        var gemma = new Gemma2Config { VocabSize = 1200, HiddenSize = 12, IntermediateSize = 16, NumHiddenLayers = 2, NumAttentionHeads = 2, NumKeyValueHeads = 1, HeadDim = 4, QueryPreAttnScalar = 4, SlidingWindow = 64 };
        Write("text_encoder", """{"model_type": "gemma2", "vocab_size": 1200, "hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "query_pre_attn_scalar": 4, "sliding_window": 64}""", "model.safetensors",
            Network.Inventory(scope => Gemma2.Encode(scope, Ids(scope, "ids"), gemma, Ids(scope, "mask"))));
        Write("scheduler", """{"_class_name": "DPMSolverMultistepScheduler", "num_train_timesteps": 1000, "solver_order": 2, "prediction_type": "flow_prediction", "use_flow_sigmas": true, "flow_shift": 3.0, "algorithm_type": "dpmsolver++"}""");
        Copy("vae", "tests/parity/image-tokenizers/dc-ae/sana-like/checkpoint");
        Copy("tokenizer", "tests/ModelZoo.Networks.Tests/Encoders/tokenizers/bpe-identity-a");
    }

    private static Value Ids(Scope scope, string name) => scope.Graph.Input(name, ElementType.Int64, [1, 16]);

    private void Write(string part, string config, string? file = null, IReadOnlyList<string>? inventory = null)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder, part)).FullName;
        File.WriteAllText(Path.Combine(folder, part == "scheduler" ? "scheduler_config.json" : "config.json"), config);
        if (file is null) return;
        var (random, tensors) = (new Random(7), new Dictionary<string, Tensor>());
        foreach (var line in inventory!)
        {
            var at = line.LastIndexOf('[');
            long[] shape = [.. line[(at + 1)..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(long.Parse)];
            var tensor = Tensor.Zeros<float>(shape);
            for (var i = 0; i < tensor.Length; i++) tensor.Span[i] = (random.NextSingle() - 0.5f) * 0.6f;
            tensors[line[..at].Trim()] = tensor;
        }

        SafetensorsWriter.Write(Path.Combine(folder, file), tensors);
    }

    private void Copy(string part, string from)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder, part)).FullName;
        foreach (var file in Directory.GetFiles(Repository.Path(from.Split('/')))) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
    }
}
