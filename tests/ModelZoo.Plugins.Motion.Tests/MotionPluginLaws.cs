using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case and on the sample.</summary>
/// <param name="folder">Where checkpoints get what stands beside them.</param>
public sealed class MotionPluginLaws(LawFolder folder) : PluginLaws<MotionPlugin>, IClassFixture<LawFolder>
{
    protected override IEnumerable<LawSample> Samples => [.. LawSample.OfCases("motion").Select(Complete), new("motion/mmm") { Checkpoint = Repository.Path("samples", "mmm-synthetic"), FindsInputs = true }];

    // Cases carry the network alone: here are the text encoder and the statistics of the data set.
    private LawSample Complete(LawSample sample) => sample.Model["motion/".Length..] switch
    {
        "t2m-gpt" => With(sample, features: 263, width: 24),
        "lmr" => With(sample, features: 263, width: 20),
        "bamm" => With(sample, features: 263, width: 512),
        // Its positions end at 32 frames.
        "m2dm" => With(sample, features: 11, width: 8, words: 4) with { Input = new Contracts.Motion(Wave(32, 11), 20, "humanml3d-11") },
        _ => sample,
    };

    private static Tensor<float> Wave(int frames, int features) => Tensor.Create<float>([.. Enumerable.Range(0, frames * features).Select(i => 0.4f * MathF.Sin(i * 0.37f))], frames, features);

    private LawSample With(LawSample sample, int features, int width, int words = 77) => folder.With(sample, to =>
    {
        TinyParts.Clip(Path.Combine(to, "clip"), width, projection: width, positions: words);
        TinyParts.ClipTokenizer(Path.Combine(to, "clip"));
        TinyParts.Statistics(to, features);
    });
}
