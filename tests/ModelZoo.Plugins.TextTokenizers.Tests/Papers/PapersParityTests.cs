using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers;

public sealed class PapersParityTests
{
    // Their reference takes the first of equals, or numbers its alphabet, in the order of a hash table: their own tests compare what is determined.
    private static readonly string[] LeftToChance = ["text-tokenizers/bytespan", "text-tokenizers/matter"];

    /// <summary>Every case of every paper in the table.</summary>
    public static TheoryData<ParityCase> Cases =>
        [.. PapersTable.Architectures.Where(architecture => !LeftToChance.Contains(architecture.Card.Id)).SelectMany(architecture => ParityCasesAttribute.Find(architecture.Card.Id))];

    [Theory, MemberData(nameof(Cases))]
    public Task Papers_ReproduceTheirReference(ParityCase @case) => Parity.VerifyAsync<TextTokenizersPlugin>(@case);
}
