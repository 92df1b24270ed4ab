using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("pipeline").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>A published pipeline in small: denoisers of the parity cases with text encoders, scheduler and autoencoder around them.</summary>
internal sealed class TinyPipeline : IDisposable
{
    private const string Pieces = "tests/ModelZoo.Networks.Tests/Encoders/tokenizers/unigram-charsmap-a", FourChannels = "tests/parity/image-tokenizers/autoencoder-kl/sd-old-attention-names/checkpoint";
    private readonly TemporaryFolder _folder = new();

    public string Folder => _folder.Path;

    public string At(string part) => Path.Combine(Folder, part);

    public void Dispose() => _folder.Dispose();

    /// <summary>The checkpoint of a case as a part.</summary>
    public void Part(string part, string @case, string within = "") => Copy(part, $"tests/parity/diffusion-transformers/{@case}/checkpoint/{within}".TrimEnd('/'));

    public void Copy(string part, string from) => TinyParts.Copy(At(part), from);

    /// <summary>A part with a configuration and weights drawn at random.</summary>
    public void Write(string part, string config, string? file = null, IReadOnlyList<string>? inventory = null)
    {
        Directory.CreateDirectory(At(part));
        File.WriteAllText(Path.Combine(At(part), part == "scheduler" ? "scheduler_config.json" : "config.json"), config);
        if (file is not null) TinyParts.Weights(Path.Combine(At(part), file), inventory!);
    }

    /// <summary>Stable Diffusion 1 around a U-Net that reads texts of width 12; <paramref name="part"/> is empty for layouts with the U-Net in the folder itself.</summary>
    public void StableDiffusion(string @case, string part = "unet")
    {
        Part(part, @case);
        Clip("", 12);
        Write("scheduler", """{"_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1}""");
        Copy("vae", FourChannels);
    }

    /// <summary>Stable Diffusion XL around a U-Net that reads texts of width 20 and of ten as a whole.</summary>
    public void StableDiffusionXL(string @case, string part = "unet", int first = 8, int second = 12, int whole = 10)
    {
        Part(part, @case);
        Clip("", first);
        Clip("_2", second, projection: whole);
        Write("scheduler", """{"_class_name": "EulerDiscreteScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "timestep_spacing": "leading", "steps_offset": 1}""");
        Copy("vae", FourChannels);
    }

    /// <summary>Stable Diffusion 3 around a transformer that reads texts of width 20 and of twelve as a whole.</summary>
    public void StableDiffusion3(string @case, string part = "transformer", int width = 20, int whole = 12)
    {
        Part(part, @case);
        Clip("", 4, projection: 4);
        Clip("_2", 6, projection: whole - 4);
        T5("_3", width);
        Write("scheduler", """{"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0}""");
        Copy("vae", FourChannels);
    }

    /// <summary>FLUX around a transformer.</summary>
    public void Flux(string @case, string part = "transformer", int width = 20, int whole = 12)
    {
        Part(part, @case);
        Clip("", whole);
        T5("_2", width);
        Write("scheduler", """{"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": true, "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096}""");
        Copy("vae", FourChannels);
    }

    /// <summary>An autoencoder of so many latent channels, four pixels a place, with weights drawn at random.</summary>
    public void Vae(int channels) => Vae(At("vae"), channels);

    /// <summary>The same in a folder of its own.</summary>
    public static void Vae(string folder, int channels)
    {
        var json = $$"""{"_class_name": "AutoencoderKL", "block_out_channels": [8, 8, 8], "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"], "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"], "latent_channels": {{channels}}, "norm_num_groups": 4, "scaling_factor": 0.5, "shift_factor": 0.1, "use_quant_conv": false, "use_post_quant_conv": false}""";
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), json);
        var config = PublishedConfig.Read<AutoencoderKlConfig>(folder).Value;
        TinyParts.Weights(Path.Combine(folder, "diffusion_pytorch_model.safetensors"), Network.Inventory(scope =>
        {
            var latent = AutoencoderKl.Encode(scope, scope.Graph.Input("x", [1, 3, 16, 16]), config).Mean;
            scope.Graph.Output("y", AutoencoderKl.Decode(scope, latent, config));
        }));
    }

    /// <summary>A CLIP text encoder with its tokenizer.</summary>
    public void Clip(string suffix, int width, int? projection = null)
    {
        TinyParts.Clip(At("text_encoder" + suffix), width, projection, seed: 3 + width);
        TinyParts.ClipTokenizer(At("tokenizer" + suffix));
    }

    /// <summary>A T5 encoder with its tokenizer.</summary>
    public void T5(string suffix, int width)
    {
        TinyParts.T5(At("text_encoder" + suffix), width);
        Copy("tokenizer" + suffix, Pieces);
    }

    public Task<IModel> OpenAsync(ModelArchitecture architecture, string? settings = null) => architecture.Open(
        new() { Id = ModelId.Parse(architecture.Card.Id + ".tiny"), Folder = Folder, Settings = new(settings is null ? null : JsonDocument.Parse(settings).RootElement), Services = HostServices.Instance }, CancellationToken.None).AsTask();

    public static async Task<List<Generation<Image>>> GenerateAsync(IModel model, Prompt prompt, TextOptions options, ulong seed = 1)
    {
        var steps = new List<Generation<Image>>();
        await foreach (var step in model.Get<IGenerate>().GenerateAsync(prompt, options, seed)) steps.Add((Generation<Image>)step);
        return steps;
    }

    public static async Task<float[]> PictureAsync(IModel model, string prompt, TextOptions options, ulong seed = 1) => (await GenerateAsync(model, new(prompt), options, seed))[^1].Result!.Pixels.Span.ToArray();

    /// <summary>Steps, partial pictures, seed, prompt, batch, size, guidance and cancellation. options: of four steps, shown every second.</summary>
    /// <param name="media">What is given with the words.</param>
    public static async Task KeepsTheLawsAsync<TOptions>(IModel model, TOptions options, bool readsNegative = true, params IReadOnlyList<Media> media) where TOptions : TextOptions
    {
        Prompt cat = new("a small cat", media);
        var steps = await GenerateAsync(model, cat, options);
        Assert.Equal(Enumerable.Range(1, steps.Count), steps.Select(step => step.Step));
        Assert.Equal(steps.Where(step => step.Step % 2 == 0 || step.IsFinal).Select(step => step.Step), steps.Where(step => step.Result is not null).Select(step => step.Step));
        var picture = steps[^1].Result!.Pixels;
        Assert.Equal(3, picture.Shape[0]);
        Assert.All(picture.Span.ToArray(), pixel => Assert.InRange(pixel, 0, 1));

        Assert.Equal(picture.Span.ToArray(), await OfAsync(cat, options));
        Assert.NotEqual(picture.Span.ToArray(), await OfAsync(cat, options, seed: 2));
        Assert.NotEqual(picture.Span.ToArray(), await OfAsync(cat with { Text = "two dogs" }, options));
        if (readsNegative) Assert.NotEqual(picture.Span.ToArray(), await OfAsync(cat, options with { NegativePrompt = "two dogs" }));
        if (readsNegative) await GuidanceOfOneIsTheConditionalAloneAsync();

        var pair = (await GenerateAsync(model, cat, options with { Count = 2 }))[^1].Result!.Pixels;
        Assert.Equal([3, picture.Shape[1], 2 * picture.Shape[2]], pair.Shape.ToArray());
        for (var y = 0; y < picture.Shape[1]; y++)
        {
            for (var x = 0; x < picture.Shape[2]; x++) Assert.Equal(picture[0, y, x], pair[0, y, x], 4);
        }

        await Assert.ThrowsAsync<OptionsException>(() => GenerateAsync(model, cat, options with { Height = 9 }));
        using var source = new CancellationTokenSource();
        var seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var step in model.Get<IGenerate>().GenerateAsync(cat, options, 0, source.Token))
            {
                seen = step.Step;
                await source.CancelAsync();
            }
        });
        Assert.Equal(1, seen);

        async Task<float[]> OfAsync(Prompt prompt, TOptions chosen, ulong seed = 1) => (await GenerateAsync(model, prompt, chosen, seed))[^1].Result!.Pixels.Span.ToArray();

        TOptions Guided(double scale) => options is FluxOptions flux ? (TOptions)(TextOptions)(flux with { TrueGuidance = scale }) : options with { Guidance = scale };

        // What is avoided is not read then, and guidance so near to one that the other half cannot show changes nothing.
        async Task GuidanceOfOneIsTheConditionalAloneAsync()
        {
            var alone = await OfAsync(cat, Guided(1));
            Assert.Equal(alone, await OfAsync(cat, Guided(1) with { NegativePrompt = "two dogs" }));
            Assert.All(alone.Zip(await OfAsync(cat, Guided(1 + 1e-9))), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        }
    }
}
