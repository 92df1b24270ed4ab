namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>An event of a sequence, which is a token.</summary>
/// <param name="Time">When, in ticks.</param>
/// <param name="Kind">The token's kind, such as <c>Pitch</c>.</param>
/// <param name="Value">The token's value.</param>
/// <param name="Program">Whose it is; null for what is common to all.</param>
/// <param name="End">When what begins here ends.</param>
internal sealed record MusicEvent(int Time, string Kind, object Value, int? Program = null, int? End = null)
{
    /// <summary>The meter, of those that say one.</summary>
    public TimeSignature? Meter { get; init; }

    /// <summary>The token.</summary>
    public string Token => FormattableString.Invariant($"{Kind}_{Value}");

    /// <summary>Up to when nothing else can rest.</summary>
    public int Until => Kind switch
    {
        "Pitch" or "PitchDrum" or "PitchIntervalTime" or "PitchIntervalChord" => End!.Value,
        "Program" or "Tempo" or "TimeSig" or "Pedal" or "PedalOff" or "PitchBend" or "Chord" => Time,
        _ => 0,
    };
}
