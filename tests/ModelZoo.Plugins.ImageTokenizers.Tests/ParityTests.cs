using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

public class ParityTests
{
    [Theory, ParityCases("image-tokenizers")]
    public Task Call_OfTheAuthorsInterface_GivesTheirNumbers(ParityCase @case) => Parity.VerifyAsync<ImageTokenizersPlugin>(@case);
}
