using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class TokenSpaceTests
{
    public static TheoryData<string> Models => [.. new LanguageModelsPlugin().Architectures.Select(architecture => architecture.Card.Id)];

    /// <summary>Two models of an architecture have vocabularies of their own.</summary>
    [Theory, MemberData(nameof(Models))]
    public async Task Space_OfAModel_HasItsNameWithTheTag(string id)
    {
        var (architecture, @case) = (new LanguageModelsPlugin().Architectures.Single(one => one.Card.Id == id), ParityCasesAttribute.Find(id, shared: false)[0]);
        await using var model = await architecture.Open(new() { Id = ModelId.Parse($"{id}.tiny"), Folder = @case.CheckpointFolder, Parts = @case.Checkpoint, Services = HostServices.Instance }, default);
        if (model.Find<ITokenize>() is { Space: { } space }) Assert.Equal($"{id}.tiny", space.Model);
        else Assert.Equal("language-models/huginn", id);
    }
}
