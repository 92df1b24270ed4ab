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
        ["whisper.large-v3"] = (WhisperModel.Architecture, "openai/whisper-large-v3", () => WhisperModel.Inventory(new()
        {
            DModel = 1280, NumMelBins = 128, EncoderLayers = 32, EncoderAttentionHeads = 20, EncoderFfnDim = 5120, DecoderLayers = 32, DecoderAttentionHeads = 20, DecoderFfnDim = 5120, VocabSize = 51866,
        })),
    };

    public static TheoryData<string> Sizes => [.. Published.Keys];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApprovedAndTheCardSaysSo(string size)
    {
        var (architecture, name, inventory) = Published[size];
        var lines = inventory();
        Assert.Equal(architecture.Card.Sizes.Single(published => published.Name == name).Parameters, ApprovedInventory.Verify("ModelZoo.Plugins.Speech.Tests", size, lines));
    }

    // Options of the method that no committed case has: their shapes fit.
    [Fact]
    public void Inventory_OfOtherOptions_Builds()
    {
        var large = new Wav2Vec2Config { ModelType = "wavlm", DoStableLayerNorm = true, FeatExtractNorm = "layer", ConvBias = true };
        Assert.Contains(XCodecModel.Inventory(new() { SemanticModelConfig = large }), line => line == "semantic_model.encoder.layers.0.attention.rel_attn_embed.weight [320, 12]");
        foreach (var positions in new[] { "relative", "rotary", null })
            Assert.NotEmpty(Wav2Vec2BertModel.Inventory(new() { NumHiddenLayers = 1, PositionEmbeddingsType = positions, AddAdapter = true, OutputHiddenSize = 512, UseIntermediateFfnBeforeAdapter = true }));
    }
}
