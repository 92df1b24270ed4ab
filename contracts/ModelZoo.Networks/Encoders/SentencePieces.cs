using System.Buffers.Binary;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Encoders;

/// <summary>Words to ids by a published SentencePiece model (Kudo and Richardson, arXiv:1808.06226), unigram or BPE: as much of it as text encoders need.</summary>
public sealed class SentencePieces
{
    private const char Space = '\u2581';
    private const float UnknownPenalty = 10;

    // Types of pieces and kinds of models in the format.
    private const int Normal = 1, Unknown = 2, UserDefined = 4, Byte = 6, Bpe = 2;

    private readonly Dictionary<string, int> _ids = [];
    private readonly HashSet<string> _symbols = [];
    private readonly List<(string Text, float Score, int Type)> _pieces = [];
    private readonly CharacterRules? _rules;
    private readonly int _longest, _kind = 1;
    private readonly int? _start, _end, _padding;
    private readonly bool _bytes, _dummyPrefix = true, _trims = true;
    private readonly float _least, _most;

    private SentencePieces(byte[] file)
    {
        (_start, _end) = (1, 2);
        foreach (var (field, number, content) in Fields(file))
        {
            if (field == 1)
            {
                var (text, score, type) = ("", 0f, Normal);
                foreach (var (part, value, data) in Fields(content))
                {
                    if (part == 1) text = Encoding.UTF8.GetString(data.Span);
                    if (part == 2) score = BitConverter.Int32BitsToSingle((int)value);
                    if (part == 3) type = (int)value;
                }

                _pieces.Add((text, score, type));
            }
            else if (field == 2)
            {
                foreach (var (part, value, _) in Fields(content))
                {
                    if (part == 3) _kind = (int)value;
                    if (part == 35) _bytes = value != 0;
                    if (part == 41) _start = Id(value);
                    if (part == 42) _end = Id(value);
                    if (part == 43) _padding = Id(value);
                }
            }
            else if (field == 3)
            {
                foreach (var (part, value, data) in Fields(content))
                {
                    if (part == 2 && data.Length > 0) _rules = new(data);
                    if (part == 3) _dummyPrefix = value != 0;
                    if (part == 4) _trims = value != 0;
                }
            }
        }

        for (var id = 0; id < _pieces.Count; id++)
        {
            var (text, _, type) = _pieces[id];
            if (type is Normal or UserDefined) _ids[text] = id;
            if (type == UserDefined) _symbols.Add(text);
            if (type == Unknown) UnknownId = id;
        }

        var normal = _pieces.Where(piece => piece.Type == Normal).Select(piece => piece.Score).DefaultIfEmpty().ToArray();
        (_least, _most, _longest) = (normal.Min(), normal.Max(), _ids.Keys.Select(text => text.Length).DefaultIfEmpty(1).Max());

        static int? Id(ulong value) => (int)value is >= 0 and var id ? id : null;
    }

    /// <summary>The id of what is not known.</summary>
    public int UnknownId { get; }

    /// <summary>The id that begins a text; null where texts have none.</summary>
    public int? StartId => _start < _pieces.Count ? _start : null;

    /// <summary>The id that ends a text; null where texts have none.</summary>
    public int? EndId => _end < _pieces.Count ? _end : null;

    /// <summary>The id of padding; 0 where there is none.</summary>
    public int PaddingId => _padding ?? 0;

    /// <summary>Opens the model of a folder: <c>spiece.model</c>, <c>tokenizer.model</c> or another.</summary>
    /// <exception cref="CheckpointException">There is none, or it breaks its format.</exception>
    public static SentencePieces Open(string folder)
    {
        var file = (Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*.model").Order(StringComparer.Ordinal).FirstOrDefault() : null)
            ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no tokenizer.") { Where = folder, Expected = "spiece.model or tokenizer.model (SentencePiece)" };
        try
        {
            return new(File.ReadAllBytes(file));
        }
        catch (Exception error) when (error is FormatException or ArgumentException or IndexOutOfRangeException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The SentencePiece model cannot be read.", error) { Where = file };
        }
    }

    /// <summary>The ids of a text, without start and end.</summary>
    public List<int> Encode(string text)
    {
        var normalized = Normalize(text);
        var ids = new List<int>();
        var afterUnknown = false;
        foreach (var piece in _kind == Bpe ? Merge(normalized) : Likeliest(normalized))
        {
            var known = _ids.TryGetValue(piece, out var id);
            if (known) ids.Add(id);
            else if (_bytes) ids.AddRange(Encoding.UTF8.GetBytes(piece).Select(b => _pieces.FindIndex(other => other.Type == Byte && other.Text == $"<0x{b:X2}>")));
            else if (!afterUnknown) ids.Add(UnknownId);
            afterUnknown = !known && !_bytes;
        }

        return ids;
    }

    private string Normalize(string text)
    {
        var result = new StringBuilder();
        var utf8 = Encoding.UTF8.GetBytes(text);
        for (var at = 0; at < utf8.Length;)
        {
            var symbol = _symbols.Count > 0 ? LongestSymbol(Encoding.UTF8.GetString(utf8.AsSpan(at)), 0) : 0;
            if (symbol > 0)
            {
                var taken = Encoding.UTF8.GetString(utf8.AsSpan(at))[..symbol];
                result.Append(taken);
                at += Encoding.UTF8.GetByteCount(taken);
            }
            else if (_rules is not null && _rules.TryLongest(utf8.AsSpan(at), out var length, out var replacement))
            {
                result.Append(replacement);
                at += length;
            }
            else
            {
                Rune.DecodeFromUtf8(utf8.AsSpan(at), out var rune, out length);
                result.Append(rune);
                at += length;
            }
        }

        var words = result.ToString();
        if (_trims) words = string.Join(' ', words.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        if (words.Length == 0) return "";
        var marked = ((_dummyPrefix ? " " : "") + words).Replace(' ', Space);
        // Marks that the text itself ends in count as spaces, too.
        return _trims ? marked.TrimEnd(Space) : marked;
    }

    private int LongestSymbol(string text, int at)
    {
        for (var length = Math.Min(_longest, text.Length - at); length > 0; length--)
        {
            if (_symbols.Contains(text.Substring(at, length))) return length;
        }

        return 0;
    }

    // The segmentation of the highest sum of scores; a character that no piece has costs more than any piece.
    private List<string> Likeliest(string text)
    {
        var best = new (float Score, int From)[text.Length + 1];
        Array.Fill(best, (0, -1));
        for (var at = 0; at < text.Length; at += CharacterLength(text, at))
        {
            if (at > 0 && best[at].From < 0) continue;
            var single = false;
            for (var length = 1; length <= Math.Min(_longest, text.Length - at); length++)
            {
                if (!_ids.TryGetValue(text.Substring(at, length), out var id)) continue;
                single |= length == CharacterLength(text, at);
                Offer(at, length, _pieces[id].Type == UserDefined ? Encoding.UTF8.GetByteCount(_pieces[id].Text) * _most - 0.1f : _pieces[id].Score);
            }

            if (!single) Offer(at, CharacterLength(text, at), _least - UnknownPenalty);
        }

        var pieces = new List<string>();
        for (var end = text.Length; end > 0; end = best[end].From) pieces.Add(text[best[end].From..end]);
        pieces.Reverse();
        return pieces;

        void Offer(int from, int length, float score)
        {
            var sum = best[from].Score + score;
            if (best[from + length].From < 0 || sum > best[from + length].Score) best[from + length] = (sum, from);
        }
    }

    // From characters, the pair of the highest score first, of equals the leftmost. User-defined symbols stay whole.
    private List<string> Merge(string text)
    {
        var (parts, frozen) = (new List<string>(), new List<bool>());
        for (var at = 0; at < text.Length; at += parts[^1].Length)
        {
            var symbol = _symbols.Count > 0 ? LongestSymbol(text, at) : 0;
            parts.Add(text.Substring(at, symbol > 0 ? symbol : CharacterLength(text, at)));
            frozen.Add(symbol > 0);
        }

        var scores = new List<float>();
        for (var i = 0; i + 1 < parts.Count; i++) scores.Add(Score(i));
        while (scores.Count > 0)
        {
            var best = 0;
            for (var i = 1; i < scores.Count; i++)
            {
                if (scores[i] > scores[best]) best = i;
            }

            if (float.IsNegativeInfinity(scores[best])) break;
            parts[best] += parts[best + 1];
            parts.RemoveAt(best + 1);
            frozen.RemoveAt(best + 1);
            scores.RemoveAt(best);
            if (best > 0) scores[best - 1] = Score(best - 1);
            if (best < scores.Count) scores[best] = Score(best);
        }

        return parts;

        float Score(int i) => !frozen[i] && !frozen[i + 1] && _ids.TryGetValue(parts[i] + parts[i + 1], out var id) ? _pieces[id].Score : float.NegativeInfinity;
    }

    private static int CharacterLength(string text, int at) => char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? 2 : 1;

    // Protocol Buffers: number, and value or content, of each field of a message.
    private static List<(int Field, ulong Value, ReadOnlyMemory<byte> Content)> Fields(ReadOnlyMemory<byte> message)
    {
        var fields = new List<(int, ulong, ReadOnlyMemory<byte>)>();
        for (var at = 0; at < message.Length;)
        {
            var tag = Varint();
            var (value, content) = (0UL, ReadOnlyMemory<byte>.Empty);
            switch (tag & 7)
            {
                case 0: value = Varint(); break;
                case 1: value = BinaryPrimitives.ReadUInt64LittleEndian(message.Span[at..]); at += 8; break;
                case 2:
                    var length = checked((int)Varint());
                    content = message.Slice(at, length);
                    at += length;
                    break;
                case 5: value = BinaryPrimitives.ReadUInt32LittleEndian(message.Span[at..]); at += 4; break;
                default: throw new FormatException($"wire type {tag & 7}");
            }

            fields.Add(((int)(tag >> 3), value, content));

            ulong Varint()
            {
                var result = 0UL;
                for (var shift = 0; ; shift += 7)
                {
                    var b = message.Span[at++];
                    result |= (ulong)(b & 0x7F) << shift;
                    if (b < 0x80) return result;
                }
            }
        }

        return fields;
    }

    // Compiled rules of normalization: a double-array trie (darts-clone) over UTF-8, then the replacements, each with a zero at its end.
    private sealed class CharacterRules
    {
        private readonly uint[] _units;
        private readonly byte[] _replacements;

        public CharacterRules(ReadOnlyMemory<byte> blob)
        {
            var size = BinaryPrimitives.ReadInt32LittleEndian(blob.Span);
            _units = new uint[size / 4];
            for (var i = 0; i < _units.Length; i++) _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob.Span[(4 + 4 * i)..]);
            _replacements = blob[(4 + size)..].ToArray();
        }

        public bool TryLongest(ReadOnlySpan<byte> input, out int length, out string replacement)
        {
            (length, replacement) = (0, "");
            var node = Offset(_units[0]);
            for (var i = 0; i < input.Length; i++)
            {
                node ^= input[i];
                if (node >= _units.Length || (_units[node] & 0x800000FF) != input[i]) break;
                var leaf = (_units[node] >> 8 & 1) == 1;
                node ^= Offset(_units[node]);
                if (!leaf) continue;
                var start = (int)(_units[node] & 0x7FFFFFFF);
                (length, replacement) = (i + 1, Encoding.UTF8.GetString(_replacements.AsSpan(start, _replacements.AsSpan(start).IndexOf((byte)0))));
            }

            return length > 0;
        }

        private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1 << 9) >> 6);
    }
}
