using ModelZoo.Conformance;

namespace ModelZoo.Plugins.Recommenders.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case and on the sample.</summary>
public sealed class RecommendersPluginLaws : PluginLaws<RecommendersPlugin>
{
    // LETTER-TIGER's case lacks the index of items, and the sample has it.
    protected override IEnumerable<LawSample> Samples => [.. LawSample.OfCases("recommenders").Where(sample => sample.Model != "recommenders/letter-tiger"), new("recommenders/letter-tiger") { Checkpoint = Repository.Path("samples", "letter-instruments"), FindsInputs = true }];

    // Cases carry the network alone: these verbs need what is published apart from it (the index of items, their features).
    protected override IReadOnlySet<string> Untried => new HashSet<string>
    {
        "recommenders/letter-lcrec generate", "recommenders/recgpt-fsq generate",
        "recommenders/setrec generate", "recommenders/setrec-qwen generate", "recommenders/unigrec generate",
    };
}
