using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case and on the sample.</summary>
/// <param name="folder">Where checkpoints get what stands beside them.</param>
public sealed class SpeechPluginLaws(LawFolder folder) : PluginLaws<SpeechPlugin>, IClassFixture<LawFolder>
{
    protected override IEnumerable<LawSample> Samples => [.. LawSample.OfCases("speech").Select(Complete), new("speech/encodec") { Checkpoint = Repository.Path("samples", "encodec-8khz"), FindsInputs = true }];

    // What the kit cannot find by itself: phones and letters of a tiny vocabulary, tensors of one recording, the codec beside the model.
    private LawSample Complete(LawSample sample) => sample.Model["speech/".Length..] switch
    {
        "dualspeechlm" => sample with { Prompt = new(null, [Bundle(("input_ids", Tensor.Create<long>([1, 5, 9, 7], 1, 4)), ("speaker_embedding", Wave(1, 10)))]) },
        "mellotron" => sample with { Prompt = new("?! ,", [Bundle(("style_mel", sample.Tensors["style_mel"]))]) },
        "naturalspeech2" => folder.With(sample, to => Codec(Path.Combine(to, "encodec_24khz"))) with { Prompt = new("AA0 B", [new Audio(Wave(1, 2000), 4000)]) },
        "vae-gslm" => sample with { Prompt = new(null, [Bundle(("tokens", First(sample.Tensors["tokens"].As<long>())), ("mel", First(sample.Tensors["mel"].As<float>())))]) },
        _ => sample,
    };

    // 12 kbit/s in three codebooks of 16 codes, as many as the case's model reads.
    private static void Codec(string folder)
    {
        var config = new EncodecConfig { SamplingRate = 4000, HiddenSize = 12, CodebookSize = 16, NumFilters = 2, NumLstmLayers = 1, UpsamplingRatios = [2, 2], TargetBandwidths = [12] };
        TinyParts.Weights(Path.Combine(folder, "model.safetensors"), EncodecCodec.Inventory(config));
        File.WriteAllText(Path.Combine(folder, "config.json"), """
            {"sampling_rate": 4000, "hidden_size": 12, "codebook_size": 16, "num_filters": 2, "num_lstm_layers": 1, "upsampling_ratios": [2, 2], "target_bandwidths": [12]}
            """);
    }

    private static NamedTensors Bundle(params (string Name, Tensor Tensor)[] tensors) => new(tensors.ToDictionary(pair => pair.Name, pair => pair.Tensor));

    private static Tensor<T> First<T>(Tensor<T> batch) where T : unmanaged => Tensor.Create(batch.Slice(0).Span.ToArray(), [1, .. batch.Shape[1..]]);

    private static Tensor<float> Wave(int rows, int length) => Tensor.Create<float>([.. Enumerable.Range(0, rows * length).Select(i => 0.4f * MathF.Sin(i * 0.37f))], rows, length);
}
