using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;

namespace ModelZoo.Contracts.Tests.Options;

public class OptionsSchemaTests
{
    private enum Style
    {
        Plain,
        VeryFancy,
    }

    private sealed record Sample : ModelOptions
    {
        [Description("How many steps.")]
        [Range(1, 1000)]
        public int StepCount { get; init; } = 50;

        public double? Guidance { get; init; }

        [Range(0, 1)]
        public float Share { get; init; }

        public Style Style { get; init; }

        public bool Loud { get; init; }

        public int[] Sizes { get; init; } = [];

        public string[] Words { get; init; } = [];

        [DataType("path")]
        public string? Folder { get; init; }
    }

    private static readonly OptionsSchema Schema = OptionsSchema.Of<Sample>();

    [Fact]
    public void Options_AreNamedInSnakeCase() => Assert.Equal(["step_count", "guidance", "share", "style", "loud", "sizes", "words", "folder"], Schema.Options.Select(option => option.Name));

    [Fact]
    public void Path_IsMarkedInHelpAndSchema()
    {
        Assert.Equal(["path"], Schema.Options.Where(option => option.IsPath).Select(option => option.Kind));
        Assert.Equal("""{"type":"string","description":"","format":"path"}""", Schema.ToJsonSchema()["properties"]!["folder"]!.ToJsonString());
    }

    [Fact]
    public void Bind_Text_ReadsEachType()
    {
        var options = (Sample)Schema.Bind(Pairs(("step_count", "7"), ("guidance", "1.5"), ("style", "very-fancy"), ("loud", "true"), ("sizes", "1,2,3")));
        Assert.Equal((7, 1.5, Style.VeryFancy, true), (options.StepCount, options.Guidance, options.Style, options.Loud));
        Assert.Equal([1, 2, 3], options.Sizes);
    }

    [Theory]
    [InlineData("fid, diversity", "fid", "diversity")]
    [InlineData("""["a,b", "c"]""", "a,b", "c")]
    [InlineData("one", "one")]
    [InlineData("[MASK],[SEP]", "[MASK]", "[SEP]")]
    [InlineData("[ ]")]
    [InlineData("")]
    public void Bind_ListOfWords_TakesCommasOrJson(string typed, params string[] words) => Assert.Equal(words, ((Sample)Schema.Bind(Pairs(("words", typed)))).Words);

    [Fact]
    public void Bind_Json_EqualsBindText()
    {
        using var json = JsonDocument.Parse("""{ "step_count": 7, "guidance": 1.5, "loud": true }""");
        Assert.Equal(((Sample)Schema.Bind(Pairs(("step_count", "7"), ("guidance", "1.5"), ("loud", "true")))) with { Sizes = [], Words = [] }, (Sample)Schema.Bind(json.RootElement) with { Sizes = [], Words = [] }, Same);
    }

    [Fact]
    public void Bind_Nothing_GivesDefaults() => Assert.Equal(50, ((Sample)Schema.Bind((JsonElement?)null)).StepCount);

    [Fact]
    public void Bind_UnknownName_NamesTheNearest()
    {
        var error = Assert.Throws<OptionsException>(() => Schema.Bind(Pairs(("step_cuont", "3"))));
        Assert.Equal(ErrorCodes.OptionUnknown, error.Code);
        Assert.Contains("'step_count'", error.Remedy);
    }

    [Theory]
    [InlineData("step_count", "0", ErrorCodes.OptionRange)]
    [InlineData("share", "NaN", ErrorCodes.OptionRange)]
    [InlineData("share", "1.4", ErrorCodes.OptionRange)]
    [InlineData("share", "-0.4", ErrorCodes.OptionRange)]
    [InlineData("step_count", "many", ErrorCodes.OptionType)]
    [InlineData("style", "odd", ErrorCodes.OptionType)]
    [InlineData("loud", "perhaps", ErrorCodes.OptionType)]
    public void Bind_BadValue_SaysWhichOptionAndWhy(string name, string value, string code)
    {
        var error = Assert.Throws<OptionsException>(() => Schema.Bind(Pairs((name, value))));
        Assert.Equal((code, name), (error.Code, error.Where));
    }

    [Fact]
    public void ToJsonSchema_CarriesBoundsDefaultsAndChoices()
    {
        var properties = Schema.ToJsonSchema()["properties"]!;
        Assert.Equal("""{"type":"integer","description":"How many steps.","default":50,"minimum":1,"maximum":1000}""", properties["step_count"]!.ToJsonString());
        Assert.Equal("""{"type":"array","description":"","items":{"type":"string"},"default":[]}""", properties["words"]!.ToJsonString());
        Assert.Equal("""["plain","very-fancy"]""", properties["style"]!["enum"]!.ToJsonString());
    }

    private static IEnumerable<KeyValuePair<string, string>> Pairs(params (string, string)[] pairs) => pairs.Select(pair => KeyValuePair.Create(pair.Item1, pair.Item2));

    private static bool Same(Sample a, Sample b) => (a.StepCount, a.Guidance, a.Style, a.Loud) == (b.StepCount, b.Guidance, b.Style, b.Loud);
}
