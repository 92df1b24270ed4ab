// A Variational Framework for Improving Naturalness in Generative Spoken Language Models (its vocoder). Chen et al. arXiv:2506.14767. github.com/b04901014/vae-gslm
// Published layout: hp.yaml + last-cpt.ckpt, mel_rescale.json with the language model's scale. Deviations: none.
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Section <c>model.generator</c>.</summary>
public sealed record VaeGslmVocoderConfig
{
    [Length(1, 16)] public int[] UpsampleRates { get; init; } = [5, 4, 4, 2, 2];
    [Length(1, 16)] public int[] UpsampleKernelSizes { get; init; } = [10, 8, 8, 4, 4];
    [Range(1, 65536)] public int UpsampleInitialChannel { get; init; } = 512;
    [Length(1, 16)] public int[] ResblockKernelSizes { get; init; } = [3, 7, 11];
    [Length(1, 16)] public int[][] ResblockDilationSizes { get; init; } = [[1, 3, 5], [1, 3, 5], [1, 3, 5]];
    [Range(1, 4096)] public int InChannels { get; init; } = 80;
    [Range(1, 1023)] public int KernelSize { get; init; } = 7;

    /// <summary>The same as HiFi-GAN's configuration.</summary>
    internal HifiGanConfig HifiGan => new()
    {
        UpsampleRates = UpsampleRates, UpsampleKernelSizes = UpsampleKernelSizes, UpsampleInitialChannel = UpsampleInitialChannel, ResblockKernelSizes = ResblockKernelSizes,
        ResblockDilationSizes = ResblockDilationSizes, ModelInDim = InChannels, OuterKernel = KernelSize, PadsByRate = true,
    };
}

/// <summary>Section <c>feature</c>.</summary>
public sealed record VaeGslmFeature
{
    [Range(1, 768000)] public int SampleRate { get; init; } = 16000;
}

/// <summary>How the language model scales mels: (mel - mean) / std.</summary>
public sealed record MelRescale
{
    public double Mean { get; init; }
    public double Std { get; init; } = 1;
}

/// <summary>The language model's mels to sound.</summary>
public sealed class VaeGslmVocoderModel : IModel, IGenerate<Audio, NoOptions>, IReferenceCalls
{
    private readonly VaeGslmVocoderConfig _config;
    private readonly int _sampleRate;
    private readonly Checkpoint _checkpoint;
    private readonly NetworkCache<bool> _generators;

    private VaeGslmVocoderModel(VaeGslmVocoderConfig config, int sampleRate, MelRescale? scale, Checkpoint checkpoint, NetworkContext context)
    {
        (_config, _sampleRate, _checkpoint) = (config, sampleRate, checkpoint);
        _generators = new(masked => Network.Build(context, "vae-gslm vocoder", scope => Generator(scope, masked, config, scale)));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/vae-gslm-vocoder",
            Paper = "A Variational Framework for Improving Naturalness in Generative Spoken Language Models",
            ArXiv = "2506.14767",
            Authors = ["Li-Wei Chen", "Takuya Higuchi", "Zakaria Aldeneh", "Ahmed Hussen Abdelaziz", "Alexander Rudnicky"],
            Repository = "b04901014/vae-gslm",
            CodeLicense = "MIT",
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Audio],
            Layouts = ["authors: hp.yaml + last-cpt.ckpt"],
            Sizes = [new("b04901014/vae-gslm: hfgan_16k_50hz_librispeech", 12_920_609, [])],
        },
        OpenAsync);

    /// <summary>Every tensor, <c>name [shape]</c>.</summary>
    internal static IReadOnlyList<string> Inventory(VaeGslmVocoderConfig config) => Network.Inventory(scope => Generator(scope, masked: false, config, null));

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, extent) => product * extent)),
        MappedBytes = _generators.Built.Sum(network => network.Session.Memory.MappedBytes),
        PrivateBytes = _generators.Built.Sum(network => network.Session.Memory.PrivateBytes),
        Digests = _checkpoint.DigestsAsync,
        Properties = [new("sampling rate", $"{_sampleRate} Hz"), new("mels", $"{_config.InChannels}")],
    };

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Audio>> GenerateAsync(Prompt prompt, NoOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var mel = PromptTensors.Require(prompt, "mel", null, _config.InChannels, "in the language model's scale");
        var samples = (await _generators[false].RunAsync(cancel, ("mel", mel)).ConfigureAwait(false))["waveform"];
        yield return Generation<Audio>.Final(new(samples, _sampleRate), 1);
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call != "decode") throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The vocoder has no call '{call}'.") { Expected = "decode" };
        var mel = arguments.Tensor("mel");
        var outputs = arguments.Has("lengths")
            ? await _generators[true].RunAsync(cancel, ("mel", mel), ("lengths", arguments.Tensor("lengths"))).ConfigureAwait(false)
            : await _generators[false].RunAsync(cancel, ("mel", mel)).ConfigureAwait(false);
        return outputs.ToResults();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _generators.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var file = Path.Combine(folder, "hp.yaml");
        var config = PublishedConfig.Read<VaeGslmVocoderConfig>(file, "model.generator").Value;
        var scale = Path.Combine(folder, "mel_rescale.json") is var path && File.Exists(path) ? PublishedConfig.Read<MelRescale>(path, "mel_rescale").Value : null;
        var checkpoint = source.Parts.Count > 0 ? source.OpenCheckpoint() : Checkpoint.Open(Path.Combine(folder, "last-cpt.ckpt"));
        var weights = KeyMap.WeightNorm.Then(HifiGanNetwork.AuthorsKeys).Apply(checkpoint);
        return ValueTask.FromResult<IModel>(new VaeGslmVocoderModel(config, PublishedConfig.Read<VaeGslmFeature>(file, "feature").Value.SampleRate, scale, checkpoint, NetworkContext.Of(source, weights)));
    }

    // Samples past a row's length are zeros; frames too where they are rescaled, as published.
    private static void Generator(Scope scope, bool masked, VaeGslmVocoderConfig config, MelRescale? scale)
    {
        var (g, frames) = (scope.Graph, Dim.Symbol("frames"));
        var mel = g.Input("mel", [Dim.Symbol("batch"), frames, config.InChannels]);
        var lengths = masked ? g.Input("lengths", ElementType.Int64, [Dim.Symbol("batch")]).Unsqueeze(1) : null;
        if (scale is not null)
        {
            mel = mel * scale.Std + scale.Mean;
            if (lengths is not null) mel *= Filled(lengths, frames).Unsqueeze(-1);
        }

        var samples = HifiGanNetwork.Build(scope, mel.Swap(1, 2), config.HifiGan).Squeeze(1);
        if (lengths is not null) samples *= Filled(lengths * g.Constant([config.UpsampleRates.Aggregate(1L, (product, rate) => product * rate)]), samples.Shape[1]);
        g.Output("waveform", samples);
    }

    private static Value Filled(Value lengths, Dim count) => AttentionLayers.Range(lengths.Graph, count).Unsqueeze(0).Less(lengths).Cast(ElementType.Float32);
}
