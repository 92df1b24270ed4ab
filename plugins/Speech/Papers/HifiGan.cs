// HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech Synthesis. Kong, Kim, Bae. arXiv:2010.05646. github.com/jik876/hifi-gan
// Published layouts: authors' g_XXXXXXXX ({"generator": state dict}) + config.json; transformers SpeechT5HifiGan (config.json + pytorch_model.bin). Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The published configuration, of either layout; defaults are V1's.</summary>
public record HifiGanConfig
{
    public string? ModelType { get; init; }                                                          // transformers only
    [AllowedValues("1", "2")] public string Resblock { get; init; } = "1";
    [Length(1, 16)] public int[] UpsampleRates { get; init; } = [8, 8, 2, 2];
    [Length(1, 16)] public int[] UpsampleKernelSizes { get; init; } = [16, 16, 4, 4];
    [Range(1, 65536)] public int UpsampleInitialChannel { get; init; } = 512;
    [Length(1, 16)] public int[] ResblockKernelSizes { get; init; } = [3, 7, 11];
    [Length(1, 16)] public int[][] ResblockDilationSizes { get; init; } = [[1, 3, 5], [1, 3, 5], [1, 3, 5]];
    [Range(1, 4096)] public int? ModelInDim { get; init; }
    [Range(0.0, 1.0)] public double LeakyReluSlope { get; init; } = 0.1;
    public bool NormalizeBefore { get; init; }
    [Range(1, 768000)] public int SamplingRate { get; init; } = 22050;

    /// <summary>Kernel of the first and the last convolution.</summary>
    internal int OuterKernel { get; init; } = 7;

    /// <summary>True where upsampling pads by half its rate, not by what its kernel reaches over.</summary>
    internal bool PadsByRate { get; init; }

    /// <summary>True for transformers' layout.</summary>
    public bool IsTransformers => ModelType is not null;

    /// <summary>Mel bands; the authors' code knows 80 only.</summary>
    public int Mels => ModelInDim ?? 80;

    /// <summary>Dilations of the residual blocks of one kernel. The authors' two kinds of blocks read three and two of them, transformers' as many as there are.</summary>
    internal int[] Dilations(int kernel)
    {
        var read = Resblock == "1" ? 3 : 2;
        if (kernel >= ResblockDilationSizes.Length || !IsTransformers && ResblockDilationSizes[kernel].Length < read)
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "Residual blocks lack dilations.") { Where = $"resblock_dilation_sizes[{kernel}]", Expected = IsTransformers ? "a list for each kernel" : $"{read} for each kernel" };
        return IsTransformers ? ResblockDilationSizes[kernel] : ResblockDilationSizes[kernel][..read];
    }
}

/// <summary>The same in transformers' layout, whose defaults are those of microsoft/speecht5_hifigan.</summary>
public sealed record SpeechT5HifiGanConfig : HifiGanConfig
{
    /// <summary>Creates a configuration with the published defaults.</summary>
    public SpeechT5HifiGanConfig() => (UpsampleRates, UpsampleKernelSizes, NormalizeBefore, SamplingRate) = ([4, 4, 4, 4], [8, 8, 8, 8], true, 16000);
}

/// <summary>The generator: transposed convolutions, each followed by the mean of residual blocks that see different reaches (section 2.3).</summary>
internal static class HifiGanNetwork
{
    /// <summary>The authors' names under those of transformers.</summary>
    public static readonly KeyMap AuthorsKeys = new((@"^ups\.", "upsampler."));

    /// <summary>mel (B, mels, frames) -> (B, 1, samples).</summary>
    public static Value Build(Scope model, Value mel, HifiGanConfig config)
    {
        if (config.NormalizeBefore) mel = (mel - PerBand(model, "mean", config)) / PerBand(model, "scale", config);
        var x = model.Stage("conv_pre", model["conv_pre"].FoldedConv(mel, config.UpsampleInitialChannel, config.OuterKernel, padding: config.OuterKernel / 2));
        for (var i = 0; i < config.UpsampleRates.Length; i++)
        {
            var (rate, kernel) = (config.UpsampleRates[i], config.UpsampleKernelSizes[i]);
            x = model["upsampler"][i].FoldedConvTranspose(x.LeakyRelu(config.LeakyReluSlope), x.Shape[1].Size / 2, kernel, rate,
                padding: config.PadsByRate ? (rate + 1) / 2 : (kernel - rate) / 2, outputPadding: config.PadsByRate ? rate % 2 : 0);
            model.Stage($"upsample_{i}", x);
            var count = config.ResblockKernelSizes.Length;
            var blocks = Enumerable.Range(0, count).Select(j => ResBlock(model["resblocks"][i * count + j], x, config.ResblockKernelSizes[j], config.Dilations(j), config)).ToArray();
            if (i == 0) model.Stage("resblock_0", blocks[0]);
            x = blocks.Aggregate((sum, block) => sum + block) / count;
        }

        // The last slope is PyTorch's default, not the configured one.
        return model.Stage("conv_post", model["conv_post"].FoldedConv(x.LeakyRelu(0.01), 1, config.OuterKernel, padding: config.OuterKernel / 2)).Tanh();
    }

    private static Value ResBlock(Scope block, Value x, int kernel, int[] dilations, HifiGanConfig config)
    {
        for (var i = 0; i < dilations.Length; i++)
        {
            var (width, padding) = (x.Shape[1].Size, (kernel - 1) * dilations[i] / 2);
            if (config.Resblock == "2")
            {
                x += block["convs"][i].FoldedConv(x.LeakyRelu(config.LeakyReluSlope), width, kernel, padding: padding, dilation: dilations[i]);
                continue;
            }

            var h = block["convs1"][i].FoldedConv(x.LeakyRelu(config.LeakyReluSlope), width, kernel, padding: padding, dilation: dilations[i]);
            x += block["convs2"][i].FoldedConv(h.LeakyRelu(config.LeakyReluSlope), width, kernel, padding: (kernel - 1) / 2);
        }

        return x;
    }

    private static Value PerBand(Scope model, string name, HifiGanConfig config) =>
        model.Graph.Weight(name, model.Data(name, config.Mels).Reshape(config.Mels, 1), model.Path);
}

/// <summary>Log-mel frames to sound.</summary>
public sealed class HifiGanModel : IModel, IGenerate<Audio, NoOptions>, IReferenceCalls
{
    private readonly HifiGanConfig _config;
    private readonly Checkpoint _checkpoint;
    private readonly Network _generator;

    private HifiGanModel(HifiGanConfig config, Checkpoint checkpoint, NetworkContext context)
    {
        (_config, _checkpoint) = (config, checkpoint);
        _generator = Network.Build(context, "hifigan", scope => Generator(scope, config));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/hifigan",
            Paper = "HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech Synthesis",
            ArXiv = "2010.05646",
            Authors = ["Jungil Kong", "Jaehyeon Kim", "Jaekyoung Bae"],
            Repository = "jik876/hifi-gan",
            CodeLicense = "MIT",
            WeightsLicense = "MIT",
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Audio],
            Layouts = ["authors: g_XXXXXXXX + config.json", "transformers SpeechT5HifiGan: config.json + pytorch_model.bin"],
            Sizes = [new("jik876/hifi-gan: V1", 13_926_017, []), new("jik876/hifi-gan: V2", 925_985, []), new("jik876/hifi-gan: V3", 1_462_273, []), new("microsoft/speecht5_hifigan", 12_656_417, [])],
        },
        OpenAsync);

    internal static IReadOnlyList<string> Inventory(HifiGanConfig config) => Network.Inventory(scope => Generator(scope, config));

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, extent) => product * extent)),
        MappedBytes = _generator.Session.Memory.MappedBytes,
        PrivateBytes = _generator.Session.Memory.PrivateBytes,
        Digests = _checkpoint.DigestsAsync,
        Properties = [new("sampling rate", $"{_config.SamplingRate} Hz"), new("mels", $"{_config.Mels}")],
    };

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Audio>> GenerateAsync(Prompt prompt, NoOptions options, ulong seed, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel = default)
    {
        var mel = PromptTensors.Require(prompt, "mel", _config.Mels, null, "natural logarithms");
        var samples = (await _generator.RunAsync(cancel, ("mel", mel)).ConfigureAwait(false))["waveform"];
        yield return Generation<Audio>.Final(new(samples.Slice(0), _config.SamplingRate), 1);
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call != "forward") throw new ModelZooException(ErrorCodes.VerbUnsupported, $"HiFi-GAN has no call '{call}'.") { Expected = "forward" };
        return (await _generator.RunAsync(cancel, ("mel", arguments.Tensor("mel"))).ConfigureAwait(false)).ToResults();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _generator.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = PublishedConfig.ReadJson(folder).ContainsKey("model_type") ? PublishedConfig.Read<SpeechT5HifiGanConfig>(folder).Value : PublishedConfig.Read<HifiGanConfig>(folder).Value;
        var checkpoint = source.Parts.Count > 0 || config.IsTransformers ? source.OpenCheckpoint() : Checkpoint.Open(AuthorsFile(folder), "generator");
        return ValueTask.FromResult<IModel>(new HifiGanModel(config, checkpoint, NetworkContext.Of(source, KeyMap.WeightNorm.Then(HifiGanNetwork.AuthorsKeys).Apply(checkpoint))));
    }

    private static void Generator(Scope scope, HifiGanConfig config) =>
        scope.Graph.Output("waveform", HifiGanNetwork.Build(scope, scope.Graph.Input("mel", [Dim.Symbol("batch"), config.Mels, Dim.Symbol("frames")]), config));

    private static string AuthorsFile(string folder) => Directory.EnumerateFiles(folder, "g_*").Order(StringComparer.Ordinal).LastOrDefault()
        ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The folder holds no generator.") { Where = folder, Expected = "g_XXXXXXXX" };
}
