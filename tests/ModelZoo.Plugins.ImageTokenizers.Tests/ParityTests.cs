using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

public class ParityTests
{
    public static TheoryData<ParityCase> Cases => [.. new ImageTokenizersPlugin().Architectures.SelectMany(architecture => ParityCasesAttribute.Find(architecture.Card.Id))];

    [Theory, MemberData(nameof(Cases))]
    public Task Call_OfTheAuthorsInterface_GivesTheirNumbers(ParityCase @case) => Parity.VerifyAsync<ImageTokenizersPlugin>(@case);

    public static TheoryData<ParityCase> Folders => [.. ParityCasesAttribute.AsPublished("image-tokenizers")];

    [Theory, MemberData(nameof(Folders))]
    public Task Calls_OnTheFolderAsPublished_AreReproduced(ParityCase @case) => Parity.VerifyAsync<ImageTokenizersPlugin>(@case);
}
