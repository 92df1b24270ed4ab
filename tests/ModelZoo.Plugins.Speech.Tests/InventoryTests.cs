using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    private static readonly SnacConfig LargeSnac = new()
    {
        EncoderDim = 64, EncoderRates = [2, 3, 8, 8], DecoderDim = 1536, DecoderRates = [8, 8, 3, 2], AttnWindowSize = 32, VqStrides = [8, 4, 2, 1],
    };

    private static readonly VocosBackboneConfig WavTokenizerBackbone = new() { InputChannels = 512, Dim = 768, IntermediateDim = 2304, NumLayers = 12, AdanormNumEmbeddings = 4 };

    private static readonly Wav2Vec2Config LargeWav2Vec2 = new()
    {
        ConvBias = true, FeatExtractNorm = "layer", HiddenSize = 1024, NumHiddenLayers = 24, NumAttentionHeads = 16, IntermediateSize = 4096, DoStableLayerNorm = true,
    };

    private static readonly Dictionary<string, (ModelArchitecture Architecture, string Name, Func<IReadOnlyList<string>> Lines)> Published = new()
    {
        ["encodec.24khz"] = (EncodecModel.Architecture, "facebook/encodec_24khz", () => EncodecCodec.Inventory(new())),
        ["encodec.48khz"] = (EncodecModel.Architecture, "facebook/encodec_48khz", () => EncodecCodec.Inventory(new() { SamplingRate = 48000, AudioChannels = 2, TargetBandwidths = [3, 6, 12, 24], NormType = "time_group_norm", UseCausalConv = false, Normalize = true, ChunkLengthS = 1, Overlap = 0.01 })),
        ["dac.16khz"] = (DacModel.Architecture, "descript/dac_16khz", () => DacModel.Inventory(new() { DownsamplingRatios = [2, 4, 5, 8], NCodebooks = 12 })),
        ["dac.24khz"] = (DacModel.Architecture, "descript/dac_24khz", () => DacModel.Inventory(new() { SamplingRate = 24000, DownsamplingRatios = [2, 4, 5, 8], NCodebooks = 32 })),
        ["dac.44khz"] = (DacModel.Architecture, "descript/dac_44khz", () => DacModel.Inventory(new() { SamplingRate = 44100, DownsamplingRatios = [2, 4, 8, 8], NCodebooks = 9 })),
        ["mimi"] = (MimiModel.Architecture, "kyutai/mimi", () => MimiModel.Inventory(new())),
        ["snac.24khz"] = (SnacModel.Architecture, "hubertsiuzdak/snac_24khz", () => SnacModel.Inventory(new())),
        ["snac.32khz"] = (SnacModel.Architecture, "hubertsiuzdak/snac_32khz", () => SnacModel.Inventory(LargeSnac with { SamplingRate = 32000 })),
        ["snac.44khz"] = (SnacModel.Architecture, "hubertsiuzdak/snac_44khz", () => SnacModel.Inventory(LargeSnac with { SamplingRate = 44100 })),
        ["speechtokenizer.hubert-avg"] = (SpeechTokenizerModel.Architecture, "fnlp/SpeechTokenizer: speechtokenizer_hubert_avg", () => SpeechTokenizerModel.Inventory(new())),
        ["bigcodec"] = (BigCodecModel.Architecture, "Alethia/BigCodec", () => BigCodecModel.Inventory(new())),
        ["wavtokenizer.320"] = (WavTokenizerModel.Architecture, "novateur/WavTokenizer: 320-24k-4096", () => WavTokenizerModel.Inventory(new(), WavTokenizerBackbone, new() { Dim = 768, NFft = 1280, HopLength = 320 })),
        ["wavtokenizer.600"] = (WavTokenizerModel.Architecture, "novateur/WavTokenizer: 600-24k-4096", () => WavTokenizerModel.Inventory(new() { Dowmsamples = [6, 5, 5, 4] }, WavTokenizerBackbone, new() { Dim = 768, NFft = 2400, HopLength = 600 })),
        ["vocos.mel-24khz"] = (VocosModel.Architecture, "charactr/vocos-mel-24khz", () => VocosModel.Inventory(new(), new(), new() { Padding = "center" })),
        ["vocos.encodec-24khz"] = (VocosModel.Architecture, "charactr/vocos-encodec-24khz", () => VocosModel.Inventory(
            new() { EncodecModel = "encodec_24khz" }, new() { InputChannels = 128, Dim = 384, IntermediateDim = 1152, AdanormNumEmbeddings = 4 }, new() { Dim = 384, NFft = 1280, HopLength = 320 })),
        ["hifigan.v1"] = (HifiGanModel.Architecture, "jik876/hifi-gan: V1", () => HifiGanModel.Inventory(new())),
        ["hifigan.v2"] = (HifiGanModel.Architecture, "jik876/hifi-gan: V2", () => HifiGanModel.Inventory(new() { UpsampleInitialChannel = 128 })),
        ["hifigan.v3"] = (HifiGanModel.Architecture, "jik876/hifi-gan: V3", () => HifiGanModel.Inventory(new()
        {
            Resblock = "2", UpsampleRates = [8, 8, 4], UpsampleKernelSizes = [16, 16, 8], UpsampleInitialChannel = 256, ResblockKernelSizes = [3, 5, 7], ResblockDilationSizes = [[1, 2], [2, 6], [3, 12]],
        })),
        ["hifigan.speecht5"] = (HifiGanModel.Architecture, "microsoft/speecht5_hifigan", () => HifiGanModel.Inventory(new()
        {
            ModelType = "hifigan", UpsampleRates = [4, 4, 4, 4], UpsampleKernelSizes = [8, 8, 8, 8], NormalizeBefore = true, ModelInDim = 80,
        })),
        ["wav2vec2.base"] = (Wav2Vec2Model.Wav2Vec2, "facebook/wav2vec2-base-960h", () => Wav2Vec2Model.Inventory(new())),
        ["wav2vec2.large-lv60"] = (Wav2Vec2Model.Wav2Vec2, "facebook/wav2vec2-large-960h-lv60-self", () => Wav2Vec2Model.Inventory(LargeWav2Vec2)),
        ["hubert.base"] = (Wav2Vec2Model.Hubert, "facebook/hubert-base-ls960", () => Wav2Vec2Model.Inventory(new())),
        ["hubert.large"] = (Wav2Vec2Model.Hubert, "facebook/hubert-large-ll60k", () => Wav2Vec2Model.Inventory(LargeWav2Vec2)),
        ["hubert.xlarge"] = (Wav2Vec2Model.Hubert, "facebook/hubert-xlarge-ll60k", () => Wav2Vec2Model.Inventory(LargeWav2Vec2 with { HiddenSize = 1280, NumHiddenLayers = 48, IntermediateSize = 5120 })),
        ["xcodec.hubert"] = (XCodecModel.Architecture, "hf-audio/xcodec-hubert-librispeech", () => XCodecModel.Inventory(new())),
        ["wav2vec2-bert.2.0"] = (Wav2Vec2BertModel.Architecture, "facebook/w2v-bert-2.0", () => Wav2Vec2BertModel.Inventory(new())),
        ["naturalspeech2.libritts"] = (NaturalSpeech2Model.Architecture, "amphion/naturalspeech2_libritts", () => NaturalSpeech2Model.Inventory(new(), codebooks: 16)),
        ["whisper.tiny"] = (WhisperModel.Architecture, "openai/whisper-tiny", () => WhisperModel.Inventory(new())),
        ["whisper.base"] = (WhisperModel.Architecture, "openai/whisper-base", () => Whisper(512, 6, 8)),
        ["whisper.small"] = (WhisperModel.Architecture, "openai/whisper-small", () => Whisper(768, 12, 12)),
        ["whisper.medium"] = (WhisperModel.Architecture, "openai/whisper-medium", () => Whisper(1024, 24, 16)),
        ["whisper.large-v3"] = (WhisperModel.Architecture, "openai/whisper-large-v3", () => WhisperModel.Inventory(new()
        {
            DModel = 1280, NumMelBins = 128, EncoderLayers = 32, EncoderAttentionHeads = 20, EncoderFfnDim = 5120, DecoderLayers = 32, DecoderAttentionHeads = 20, DecoderFfnDim = 5120, VocabSize = 51866,
        })),
        ["mellotron.libritts"] = (MellotronModel.Architecture, "NVIDIA/mellotron: mellotron_libritts", () => MellotronModel.Inventory(new())),
        ["lass.mnist"] = (LassModel.Architecture, "gladia-research-group/latent-autoregressive-source-separation: mnist_256", () => LassModel.Inventory(new(), new())),
        ["vae-gslm"] = (VaeGslmModel.Architecture, "b04901014/vae-gslm: vae-gslm", () => VaeGslmModel.Inventory(VaeGslm, mels: 80)),
        ["vae-gslm-vocoder.16khz"] = (VaeGslmVocoderModel.Architecture, "b04901014/vae-gslm: hfgan_16k_50hz_librispeech", () => VaeGslmVocoderModel.Inventory(new()
        {
            UpsampleRates = [5, 4, 2, 2, 2, 2], UpsampleKernelSizes = [10, 8, 4, 4, 4, 4],
        })),
    };

    private static readonly Dictionary<string, string> WithoutInventory = new()
    {
        ["speech/dualspeechlm"] = "The authors published no weights yet; their code fine-tunes Phi-3.5-mini.",
        ["speech/dualspeechlm-ustokenizer"] = "The authors published no weights yet; their code leans on Whisper and Llama.",
        ["speech/expressive-voice-cloning"] = "The authors published neither code nor weights.",
        ["speech/lm-spt"] = "The authors published neither code nor weights.",
        ["speech/salad"] = "The authors published neither code nor weights.",
    };

    // configs/train/speech/vae-gslm.yaml.
    private static VaeGslmConfig VaeGslm
    {
        get
        {
            var same = Enumerable.Repeat(1, 6).ToArray();
            var layer = new VaeGslmLayer { CausalPadding = true, KernelSize = 7, Activation = new() { Identifier = "SiLU" }, ConditionType = "concat" };
            return new()
            {
                Tokens = new() { EmbeddingDim = 64 }, LatentDim = 4,
                UtteranceEncoder = new() { NumLayers = 3, ResampleRates = [-2, -2, -2], ResampleKsize = [4, 4, 4], InitChannel = 64, OutChannels = [128, 256, 512], EmbeddingDim = 128 },
                Encoder = new()
                {
                    Identifier = "BottleNeckResNet", NumLayers = 3, ResampleRates = [1, 1, 1], ResampleKsize = [1, 1, 1], OutChannels = [512, 512, 512], HiddenChannels = [2048, 2048, 2048], FinalNorm = true,
                    Layer = new() { CausalPadding = true, KernelSize = 7 },
                },
                Decoder = new()
                {
                    CondUnet = new()
                    {
                        Unet = new()
                        {
                            ConditionDim = 32, NumLayers = 6, ResampleRates = same, ResampleKsize = same, OutChannels = [.. same.Select(_ => 512)], HiddenChannels = [.. same.Select(_ => 2048)],
                            Conditional = [false, true, true, true, true, false], SkipConnection = [null, null, null, 2, 1, 0], ConnectionType = "concat", FinalNorm = true,
                            Layer = layer, UpwardLayer = layer with { CausalPadding = false, Boundary = 3, FuturePadding = true },
                        },
                        TimeEmbedding = new() { Dim = 256 },
                    },
                },
                Transformer = new()
                {
                    Bias = false, NumLayers = 16, Layer = new() { FfdSize = 4096, Dim = 1024, SelfAttn = new() { Nheads = 16 } }, Flow = new() { NumLayers = 4, Conditional = true, Layer = new() { HiddenDim = 64 } },
                },
            };
        }
    }

    public static TheoryData<string> Sizes => [.. Published.Keys];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApprovedAndTheCardSaysSo(string size)
    {
        var (architecture, name, inventory) = Published[size];
        var parameters = ApprovedInventory.Verify("ModelZoo.Plugins.Speech.Tests", size, inventory());
        Assert.Equal(architecture.Card.Sizes.Single(published => published.Name == name).Parameters, parameters);
    }

    [Fact]
    public void Architectures_WithoutAnInventory_SayWhy() => ApprovedInventory.CoversAll<SpeechPlugin>(Published.Values.Select(published => (published.Architecture.Card.Id, published.Name)), WithoutInventory);

    // Options of the method that no committed case has: their shapes fit.
    [Fact]
    public void Inventory_OfOtherOptions_Builds()
    {
        var large = new Wav2Vec2Config { ModelType = "wavlm", DoStableLayerNorm = true, FeatExtractNorm = "layer", ConvBias = true };
        Assert.Contains(XCodecModel.Inventory(new() { SemanticModelConfig = large }), line => line == "semantic_model.encoder.layers.0.attention.rel_attn_embed.weight [320, 12]");
        foreach (var positions in new[] { "relative", "rotary", null })
            Assert.NotEmpty(Wav2Vec2BertModel.Inventory(new() { NumHiddenLayers = 1, PositionEmbeddingsType = positions, AddAdapter = true, OutputHiddenSize = 512, UseIntermediateFfnBeforeAdapter = true }));
    }

    private static IReadOnlyList<string> Whisper(int width, int layers, int heads) => WhisperModel.Inventory(new()
    {
        DModel = width, EncoderLayers = layers, EncoderAttentionHeads = heads, EncoderFfnDim = 4 * width, DecoderLayers = layers, DecoderAttentionHeads = heads, DecoderFfnDim = 4 * width,
    });
}
