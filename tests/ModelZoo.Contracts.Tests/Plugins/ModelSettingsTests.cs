using System.Text.Json;

namespace ModelZoo.Contracts.Tests;

public sealed class ModelSettingsTests
{
    private static ModelSettings Of(string json, bool isShared = false) => new(JsonDocument.Parse(json).RootElement, isShared);

    [Fact]
    public void Text_OfANameThatIsThere_IsReadAndKnown()
    {
        var settings = Of("""{ "vae": "DIR", "veo": "X" }""");
        Assert.Equal("DIR", settings.Text("vae"));
        Assert.Null(settings.Text("unet"));
        Assert.Equal(["unet", "vae"], settings.Known);
        Assert.Equal(["veo"], settings.Unread);
    }

    [Fact]
    public void Text_OfAnotherKind_IsRefusedByName()
    {
        var error = Assert.Throws<OptionsException>(() => Of("""{ "vae": 3 }""").Text("vae"));
        Assert.Equal((ErrorCodes.OptionType, "vae", "3"), (error.Code, error.Where, error.Found));
    }

    [Fact]
    public void Unread_OfSharedOrNoSettings_IsEmpty()
    {
        Assert.Empty(Of("""{ "vae": "DIR" }""", isShared: true).Unread);
        Assert.Empty(new ModelSettings().Unread);
    }
}
