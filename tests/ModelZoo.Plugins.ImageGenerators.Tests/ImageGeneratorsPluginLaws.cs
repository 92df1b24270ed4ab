using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case.</summary>
/// <param name="folder">Where checkpoints get what stands beside them.</param>
public sealed class ImageGeneratorsPluginLaws(LawFolder folder) : PluginLaws<ImageGeneratorsPlugin>, IClassFixture<LawFolder>
{
    protected override IEnumerable<LawSample> Samples => LawSample.OfCases("image-generators").Select(Complete);

    // One class of models stands for all: the second compilation of every paper would take longer than the laws.
    protected override int UnloadSamples => 6;

    // Cases carry the network alone: here is what is published apart from it, or stands for it.
    private LawSample Complete(LawSample sample) => sample.Model["image-generators/".Length..] switch
    {
        "maskgen-kl" or "maskgen-vq" => folder.With(sample, to =>
        {
            TinyParts.Clip(Path.Combine(to, "clip"), 20, projection: 20);
            TinyParts.ClipTokenizer(Path.Combine(to, "clip"));
        }),
        "instella-ar" or "instella-diffusion" => sample with { Prompt = LanguageModel(layers: 2, words: 5, width: 20) },
        _ => sample,
    };

    // What Instella's language model would say of a prompt and of the empty one.
    private static Prompt LanguageModel(int layers, int words, int width)
    {
        var features = Tensor.Zeros<float>(layers, 2, words, width);
        for (var i = 0; i < features.Length; i++) features.Span[i] = MathF.Sin(i * 0.7f);
        return new(null, [new NamedTensors(new Dictionary<string, Tensor> { ["llm_features"] = features, ["text_mask"] = Tensor.Create<long>([1, 1, 1, 1, 0, 1, 0, 0, 0, 0], 2, words) })]);
    }
}
