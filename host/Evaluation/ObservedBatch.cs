using ModelZoo.Contracts;

namespace ModelZoo.Host.Evaluation;

/// <summary>Neighbouring examples and what was observed of them.</summary>
/// <param name="First">The first one's place in the data set.</param>
/// <param name="Examples">SHA-256 of each example.</param>
/// <param name="Observations">One or more for each, in their order.</param>
internal sealed record ObservedBatch(int First, IReadOnlyList<string> Examples, IReadOnlyList<Observation> Observations)
{
    public static ObservedBatch Of(IReadOnlyList<Example> examples, IReadOnlyList<Observation> observations) => new(examples[0].Ordinal, [.. examples.Select(ExampleDigest.Of)], observations);
}
