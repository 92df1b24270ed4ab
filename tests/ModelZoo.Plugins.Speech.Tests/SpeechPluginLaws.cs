using ModelZoo.Conformance;

namespace ModelZoo.Plugins.Speech.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case and on the sample.</summary>
public sealed class SpeechPluginLaws : PluginLaws<SpeechPlugin>
{
    protected override IEnumerable<LawSample> Samples => [.. LawSample.OfCases("speech"), new("speech/encodec") { Checkpoint = Repository.Path("samples", "encodec-8khz"), FindsInputs = true }];

    // Cases carry the network alone: these verbs need what is published apart from it (vocabularies, another model that speaks).
    protected override IReadOnlySet<string> Untried => new HashSet<string>
    {
        "speech/dualspeechlm generate", "speech/mellotron generate", "speech/naturalspeech2 generate",
        "speech/vae-gslm generate",
    };
}
