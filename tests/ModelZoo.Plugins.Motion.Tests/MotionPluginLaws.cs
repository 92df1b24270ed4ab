using ModelZoo.Conformance;

namespace ModelZoo.Plugins.Motion.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case and on the sample.</summary>
public sealed class MotionPluginLaws : PluginLaws<MotionPlugin>
{
    protected override IEnumerable<LawSample> Samples => [.. LawSample.OfCases("motion"), new("motion/mmm") { Checkpoint = Repository.Path("samples", "mmm-synthetic"), FindsInputs = true }];

    // Cases carry the network alone: these verbs need what is published apart from it (a text encoder, the statistics of the data set).
    protected override IReadOnlySet<string> Untried => new HashSet<string>
    {
        "motion/lmr generate", "motion/lmr tokenize", "motion/m2dm generate", "motion/m2dm tokenize",
        "motion/t2m-gpt generate", "motion/t2m-gpt tokenize",
    };
}
