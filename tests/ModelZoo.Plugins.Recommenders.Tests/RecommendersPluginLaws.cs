using ModelZoo.Conformance;

namespace ModelZoo.Plugins.Recommenders.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case, with the files of a data set beside it, and on the sample.</summary>
public sealed class RecommendersPluginLaws(LawFolder folder) : PluginLaws<RecommendersPlugin>, IClassFixture<LawFolder>
{
    // LETTER-TIGER's case lacks the index of items, and the sample has it.
    protected override IEnumerable<LawSample> Samples =>
    [
        .. LawSample.OfCases("recommenders").Where(sample => sample.Model != "recommenders/letter-tiger").Select(sample => folder.With(sample, place => DataSetFiles.Write(sample.Model.Split('/')[1], place))),
        new("recommenders/letter-tiger") { Checkpoint = Repository.Path("samples", "letter-instruments"), FindsInputs = true },
    ];
}
