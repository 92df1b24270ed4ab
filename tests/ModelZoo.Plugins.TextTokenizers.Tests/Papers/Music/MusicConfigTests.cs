using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Papers.Music;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers.Music;

public sealed class MusicConfigTests
{
    private static MusicConfig Read(string members) => new(JsonElement.Parse($$"""{"tokenization": "REMI", "config": { {{members}} } }"""));

    [Fact]
    public void Config_LeastThatIsNeeded_HasTheTimesOfItsRanges()
    {
        var config = Read("\"beat_res\": {\"0_2\": 4, \"2_3\": 2}");

        Assert.Equal(4, config.PositionsPerBeat);
        Assert.Equal(2 * 4 + 2, config.Durations.Count);
    }

    [Theory]
    [InlineData("\"beat_res\": {}", "beat_res")]
    [InlineData("\"beat_res\": {\"a_b\": 4}", "beat_res")]
    [InlineData("\"beat_res\": {\"4\": 4}", "beat_res")]
    [InlineData("\"beat_res\": {\"4_0\": 4}", "beat_res")]
    [InlineData("\"beat_res\": {\"0_2000000000\": 4}", "beat_res")]
    [InlineData("\"beat_res\": {\"0_4\": 0}", "beat_res")]
    [InlineData("\"beat_res\": {\"0_4\": 2000000000}", "beat_res")]
    [InlineData("\"beat_res\": {\"0_4\": 8}, \"num_velocities\": 0", "num_velocities")]
    [InlineData("\"beat_res\": {\"0_4\": 8}, \"num_velocities\": 2000000000", "num_velocities")]
    [InlineData("\"beat_res\": {\"0_4\": 8}, \"use_time_signatures\": true, \"time_signature_range\": {}", "time_signature_range")]
    [InlineData("\"beat_res\": {\"0_4\": 8}, \"use_time_signatures\": true, \"time_signature_range\": {\"0\": [4]}", "time_signature_range")]
    [InlineData("\"beat_res\": {\"0_4\": 8}, \"use_pitch_bends\": true, \"pitch_bend_range\": [-8192, 8191, 2000000000]", "pitch_bend_range")]
    public void Config_OfNoVocabulary_IsRefusedByKey(string members, string key)
    {
        var error = Assert.Throws<CheckpointException>(() => Read(members));

        Assert.Equal((ErrorCodes.ConfigInvalid, $"config.{key}"), (error.Code, error.Where));
    }
}
