using ModelZoo.Plugins.TextTokenizers.Papers.Music;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers.Music;

public sealed class MidiFileTests
{
    [Fact]
    public void Read_WhatWasWritten_HasNotesPedalsAndBends()
    {
        var track = new MusicTrack(24, false, [new(0, 4, 60, 90), new(4, 2, 60, 80)]) { Pedals = [new(1, 3), new(6, 2)], PitchBends = [new(2, -8192), new(3, 0), new(5, 8191)] };
        var score = new Score(8, [track], [(0, 500_000), (8, 400_000)], [TimeSignature.Common, new(32, 6, 8)]);

        var read = MidiFile.Read(MidiFile.Write(score));

        Assert.Equal(score.Tempos, read.Tempos);
        Assert.Equal(score.TimeSignatures, read.TimeSignatures);
        var only = Assert.Single(read.Tracks);
        Assert.Equal((24, false), (only.Program, only.IsDrum));
        Assert.Equal(track.Notes, only.Notes);
        Assert.Equal(track.Pedals, only.Pedals);
        Assert.Equal(track.PitchBends, only.PitchBends);
    }

    // One track of a file whose channel 9 plays before channel 0: tracks come by channel, then program.
    [Fact]
    public void Read_ChannelsOfOneTrack_ComeInOrderOfTheirNumbers()
    {
        byte[] events = [0, 0x99, 36, 100, 1, 0x90, 60, 100, 1, 0x89, 36, 0, 0, 0xC0, 5, 0, 0x90, 62, 100, 1, 0x80, 62, 0, 0, 0x80, 60, 0, 0, 0xFF, 0x2F, 0];
        byte[] file = [.. "MThd"u8, 0, 0, 0, 6, 0, 0, 0, 1, 0, 96, .. "MTrk"u8, 0, 0, 0, (byte)events.Length, .. events];
        Assert.Equal([0, 5, -1], MidiFile.Read(file).Tracks.Select(track => track.Number));
    }
}
