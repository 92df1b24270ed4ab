using System.Globalization;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>Event tokens to music. What a token needs and the next ones do not say is left out, with the token.</summary>
internal sealed class MusicDecoder(MusicConfig config)
{
    private const int DefaultVelocity = 100;
    private const double CommonTempo = 500_000;

    /// <summary>The music of each sequence's tokens; tempo and meter are those of the first.</summary>
    public Score Decode(IReadOnlyList<IReadOnlyList<string>> sequences)
    {
        var score = new Score(config.TicksPerQuarter, [], [], []);
        var byProgram = new OrderedDictionary<int, MusicTrack>();
        for (var number = 0; number < sequences.Count; number++)
        {
            var reader = new Reader(config, score, sequences[number], number == 0, byProgram);
            reader.Read();
            if (!config.IsOneStream && reader.Track is { } track && track.Notes.Count + track.PitchBends.Count > 0) score.Tracks.Add(track);
        }

        score.Tracks.AddRange(byProgram.Values);
        if (score.Tempos.Count == 0 || score.Tempos[0].Time != 0) score.Tempos.Insert(0, (0, CommonTempo));
        if (score.TimeSignatures.Count == 0 || score.TimeSignatures[0].Time != 0) score.TimeSignatures.Insert(0, TimeSignature.Common);
        return score;
    }

    private static (string Kind, string Value) Split(string token) => token.IndexOf('_', StringComparison.Ordinal) is > 0 and var bar ? (token[..bar], token[(bar + 1)..]) : (token, "");

    private sealed class Reader
    {
        private const int Nowhere = -128;
        private readonly MusicConfig _config;
        private readonly Score _score;
        private readonly (string Kind, string Value)[] _tokens;
        private readonly bool _isFirst;
        private readonly OrderedDictionary<int, MusicTrack> _byProgram;
        private readonly Dictionary<int, int> _before = [], _within = [], _pedalDown = [];
        private TimeSignature _meter = TimeSignature.Common;
        private int _time, _bar = -1, _barOfMeter, _startOfMeter, _startOfBar, _soundsUntil, _program;

        public Reader(MusicConfig config, Score score, IReadOnlyList<string> tokens, bool isFirst, OrderedDictionary<int, MusicTrack> byProgram)
        {
            (_config, _score, _tokens, _isFirst, _byProgram) = (config, score, [.. tokens.Select(Split)], isFirst, byProgram);
            if (config.IsRemi)
            {
                if (isFirst) score.TimeSignatures.Add(FirstMeter());
                _meter = score.TimeSignatures[^1];
            }

            var isDrum = false;
            if (!config.IsOneStream && config.UsesPrograms && Array.Find(_tokens, token => token.Kind == "Program") is { Kind: not null } said)
            {
                _program = Number(said.Value);
                if (_program == -1) (isDrum, _program) = (true, 0);
            }

            Track = new(_program, isDrum, []);
        }

        /// <summary>The track of the sequence, where it is one of a track.</summary>
        public MusicTrack Track { get; private set; }

        private int Beat => _config.TicksPerBeat(_meter.Denominator);

        private int Bar => _meter.Numerator * Beat;

        private MusicTrack Own(int program)
        {
            if (!_config.IsOneStream) return Track;
            if (!_byProgram.TryGetValue(program, out var track)) _byProgram.Add(program, track = new(Math.Max(0, program), program == -1, []));
            return track;
        }

        public void Read()
        {
            for (var i = 0; i < _tokens.Length; i++)
            {
                var (kind, value) = _tokens[i];
                switch (kind)
                {
                    case "Bar" when value == "None":
                        if (++_bar > 0) _time = _startOfBar + Bar;
                        _startOfBar = _time;
                        break;
                    case "Position":
                        _bar = Math.Max(_bar, 0);
                        _time = _startOfBar + Number(value) * (Beat / _config.PositionsPerBeat);
                        break;
                    case "TimeShift": _time += BeatTime.Parse(value).Ticks(Beat); break;
                    case "Rest": Rest(BeatTime.Parse(value)); break;
                    case "Pitch" or "PitchDrum": Note(i, Number(value)); break;
                    case "PitchIntervalTime": Note(i, _before.GetValueOrDefault(_program, Nowhere) + Number(value)); break;
                    case "PitchIntervalChord": Note(i, _within.GetValueOrDefault(_program, Nowhere) + Number(value)); break;
                    case "Program":
                        _program = Number(value);
                        if (!_config.IsOneStream && _config.SaysProgramChanges) Track = new(Math.Max(0, _program), _program == -1 || Track.IsDrum, Track.Notes) { Pedals = Track.Pedals, PitchBends = Track.PitchBends };
                        break;
                    case "Tempo" when _isFirst: _score.Tempos.Add((_time, 60e6 / double.Parse(value, CultureInfo.InvariantCulture))); break;
                    case "TimeSig": Change(value); break;
                    case "Pedal" or "PedalOff": Pedal(i, kind, _config.UsesPrograms ? Number(value) : _program); break;
                    case "PitchBend": Own(_program).PitchBends.Add(new(_time, Number(value))); break;
                }

                if (kind == "Tempo" || (!_config.IsRemi && kind is "Program" or "TimeSig" or "Pedal" or "PedalOff" or "PitchBend" or "Chord")) _soundsUntil = Math.Max(_soundsUntil, _time);
            }
        }

        private void Rest(BeatTime rest)
        {
            _time = Math.Max(_soundsUntil, _time) + rest.Ticks(Beat);
            if (!_config.IsRemi) return;
            var bar = _barOfMeter + (_time - _startOfMeter) / Bar;
            if (bar <= _bar) return;
            _startOfBar += (bar - Math.Max(_bar, 0)) * Bar;
            _bar = bar;
        }

        private void Change(string value)
        {
            var meter = Meter(value, _time);
            if (_config.IsRemi && meter.IsSame(_meter)) return;
            (_meter, _startOfMeter, _barOfMeter) = (meter, _startOfBar, _bar);
            if (_isFirst) _score.TimeSignatures.Add(meter);
        }

        private void Note(int place, int pitch)
        {
            if (pitch < _config.PitchRange.Low || pitch > _config.PitchRange.High) return;
            if (_tokens[place].Kind != "PitchIntervalChord") _before[_program] = pitch;
            _within[_program] = pitch;
            var velocity = _config.UsesVelocities ? Value(++place, "Velocity") : DefaultVelocity.ToString(CultureInfo.InvariantCulture);
            var duration = !_config.ProgramsWithDuration.Contains(_program) ? (int)(_config.DefaultDuration * Beat) : Value(++place, "Duration") is { } given ? BeatTime.Parse(given).Ticks(Beat) : (int?)null;
            if (velocity is null || duration is not { } length) return;
            Own(_program).Notes.Add(new(_time, length, pitch, Number(velocity)));
            _soundsUntil = Math.Max(_soundsUntil, _time + length);
        }

        private void Pedal(int place, string kind, int program)
        {
            if (kind == "Pedal" && _config.PedalsHaveDurations)
            {
                if (Value(place + 1, "Duration") is { } duration) Own(program).Pedals.Add(new(_time, BeatTime.Parse(duration).Ticks(Beat)));
            }
            else if (kind == "Pedal")
            {
                _pedalDown.TryAdd(program, _time);
            }
            else if (_pedalDown.Remove(program, out var start))
            {
                Own(program).Pedals.Add(new(start, _time - start));
            }
        }

        private TimeSignature FirstMeter()
        {
            var first = Array.Find(_tokens, token => token.Kind is "TimeSig" or "Pitch" or "PitchDrum" or "Velocity" or "Duration" or "PitchBend" or "Pedal");
            return _config.UsesTimeSignatures && first.Kind == "TimeSig" ? Meter(first.Value, 0) : TimeSignature.Common;
        }

        private string? Value(int place, string kind) => place < _tokens.Length && _tokens[place].Kind == kind ? _tokens[place].Value : null;

        private static TimeSignature Meter(string value, int time)
        {
            int[] parts = [.. value.Split('/').Select(Number)];
            return new(time, parts[0], parts[1]);
        }

        private static int Number(string value) => int.Parse(value, CultureInfo.InvariantCulture);
    }
}
