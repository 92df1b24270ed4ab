using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class ParityTests
{
    public static TheoryData<ParityCase> Cases => [.. new LanguageModelsPlugin().Architectures.SelectMany(architecture => ParityCasesAttribute.Find(architecture.Card.Id))];

    [Theory, MemberData(nameof(Cases))]
    public Task Call_OfTheAuthorsInterface_GivesTheirNumbers(ParityCase @case) => Parity.VerifyAsync<LanguageModelsPlugin>(@case);
}
