using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    private static readonly Dictionary<string, (ModelArchitecture Architecture, string Name, Func<IReadOnlyList<string>> Lines)> Published = new()
    {
        ["encodec.24khz"] = (EncodecModel.Architecture, "facebook/encodec_24khz", () => EncodecCodec.Inventory(new())),
        ["encodec.48khz"] = (EncodecModel.Architecture, "facebook/encodec_48khz", () => EncodecCodec.Inventory(new() { SamplingRate = 48000, AudioChannels = 2, TargetBandwidths = [3, 6, 12, 24], NormType = "time_group_norm", UseCausalConv = false, Normalize = true, ChunkLengthS = 1, Overlap = 0.01 })),
        ["dac.16khz"] = (DacModel.Architecture, "descript/dac_16khz", () => DacModel.Inventory(new() { DownsamplingRatios = [2, 4, 5, 8], NCodebooks = 12 })),
        ["dac.24khz"] = (DacModel.Architecture, "descript/dac_24khz", () => DacModel.Inventory(new() { SamplingRate = 24000, DownsamplingRatios = [2, 4, 5, 8], NCodebooks = 32 })),
        ["dac.44khz"] = (DacModel.Architecture, "descript/dac_44khz", () => DacModel.Inventory(new() { SamplingRate = 44100, DownsamplingRatios = [2, 4, 8, 8], NCodebooks = 9 })),
        ["mimi"] = (MimiModel.Architecture, "kyutai/mimi", () => MimiModel.Inventory(new())),
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
