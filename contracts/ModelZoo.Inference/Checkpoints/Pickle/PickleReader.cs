using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Pickle;

/// <summary>
/// A reader of Python pickles that builds plain data and can do nothing else. It knows the opcodes of protocols 0 to 5 that data needs; every name of a Python class or
/// function goes to <see cref="IPickleWorld"/>, which knows a few and refuses the rest. It never calls itself, so no nesting exhausts the stack, and what it builds is
/// bounded by the length of the file.
/// </summary>
internal sealed class PickleReader(ByteBlock block, IPickleWorld world)
{
    private const int LongestNumber = 1000;
    private static readonly object Mark = new();
    private readonly Stack<object?> _stack = new();
    private readonly Dictionary<long, object?> _memo = [];

    /// <summary>Where the next byte is.</summary>
    public long Position { get; set; }

    /// <summary>Reads one pickle and stops after it.</summary>
    /// <exception cref="CheckpointException"><see cref="ErrorCodes.CheckpointMalformed"/> or <see cref="ErrorCodes.CheckpointForbidden"/>.</exception>
    public object? Read()
    {
        _stack.Clear();
        _memo.Clear();
        while (true)
        {
            var at = Position;
            var op = Bytes(1)[0];
            if (op == '.') return Pop();
            if (!Scalar(op) && !Container(op) && !Memo(op) && !Object(op)) throw Broken($"The pickle has the unknown opcode 0x{op:x2} at {at}.");
        }
    }

    private bool Scalar(byte op)
    {
        switch (op)
        {
            case 0x80: Bytes(1); return true;                                           // PROTO
            case 0x95: Bytes(8); return true;                                           // FRAME
            case (byte)'N': Push(null); return true;
            case 0x88: Push(true); return true;
            case 0x89: Push(false); return true;
            case (byte)'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Bytes(4))); return true;
            case (byte)'K': Push((long)Bytes(1)[0]); return true;
            case (byte)'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2))); return true;
            case 0x8a: Push(Integer(Bytes(Bytes(1)[0]))); return true;                  // LONG1
            case 0x8b: Push(Integer(Bytes(Length32()))); return true;                   // LONG4
            case (byte)'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Bytes(8))); return true;
            case (byte)'I': Push(IntegerLine()); return true;
            case (byte)'L': Push(IntegerText(Line().TrimEnd('L'))); return true;
            case (byte)'F': Push(FloatText(Line())); return true;
            case (byte)'S': Push(QuotedText(Line())); return true;
            case (byte)'V': Push(Unescape(Line(), "uU")); return true;
            case 0x8c: Push(Text(Bytes(1)[0])); return true;                            // SHORT_BINUNICODE
            case (byte)'X': Push(Text(Length32())); return true;
            case 0x8d: Push(Text(Length64())); return true;                             // BINUNICODE8
            case (byte)'U': Push(Latin(Bytes(1)[0])); return true;
            case (byte)'T': Push(Latin(Length32())); return true;
            case (byte)'C': Push(Bytes(Bytes(1)[0]).ToArray()); return true;
            case (byte)'B': Push(Bytes(Length32()).ToArray()); return true;
            case 0x8e or 0x96: Push(Bytes(Length64()).ToArray()); return true;          // BINBYTES8, BYTEARRAY8
            default: return false;
        }
    }

    private bool Container(byte op)
    {
        switch (op)
        {
            case (byte)'(': Push(Mark); return true;
            case (byte)'0': _ = Pop(); return true;
            case (byte)'1': _ = ToMark(); return true;
            case (byte)'2': Push(Peek()); return true;
            case (byte)']' or 0x8f: Push(new PickleList()); return true;                // EMPTY_LIST, EMPTY_SET
            case (byte)'l' or 0x91: Push(Fill(new PickleList(), ToMark())); return true; // LIST, FROZENSET
            case (byte)'a': var item = Pop(); Expect<PickleList>(Peek()).Add(item); return true;
            case (byte)'e' or 0x90: var items = ToMark(); Fill(Expect<PickleList>(Peek()), items); return true; // APPENDS, ADDITEMS
            case (byte)')': Push(new PickleTuple([])); return true;
            case (byte)'t': Push(new PickleTuple(ToMark())); return true;
            case 0x85: Push(new PickleTuple([Pop()])); return true;
            case 0x86: var (b2, a2) = (Pop(), Pop()); Push(new PickleTuple([a2, b2])); return true;
            case 0x87: var (c3, b3, a3) = (Pop(), Pop(), Pop()); Push(new PickleTuple([a3, b3, c3])); return true;
            case (byte)'}': Push(new PickleDictionary()); return true;
            case (byte)'d': Push(Fill(new PickleDictionary(), ToMark())); return true;
            case (byte)'s': var (value, key) = (Pop(), Pop()); Expect<PickleDictionary>(Peek()).Items.Add((key, value)); return true;
            case (byte)'u': var pairs = ToMark(); Fill(Expect<PickleDictionary>(Peek()), pairs); return true;
            default: return false;
        }
    }

    private bool Memo(byte op)
    {
        switch (op)
        {
            case (byte)'g': Push(Recall(LineNumber())); return true;
            case (byte)'h': Push(Recall(Bytes(1)[0])); return true;
            case (byte)'j': Push(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4)))); return true;
            case (byte)'p': _memo[LineNumber()] = Peek(); return true;
            case (byte)'q': _memo[Bytes(1)[0]] = Peek(); return true;
            case (byte)'r': _memo[BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4))] = Peek(); return true;
            case 0x94: _memo[_memo.Count] = Peek(); return true;                        // MEMOIZE
            default: return false;
        }
    }

    private bool Object(byte op)
    {
        switch (op)
        {
            case (byte)'c': Push(world.Global(Line(), Line())); return true;
            case 0x93: var (name, module) = (Expect<string>(Pop()), Expect<string>(Pop())); Push(world.Global(module, name)); return true; // STACK_GLOBAL
            case (byte)'R' or 0x81: var (arguments, callee) = (Pop(), Pop()); Push(Make(callee, arguments)); return true; // REDUCE, NEWOBJ
            case 0x92: // NEWOBJ_EX
                var (keywords, tuple, type) = (Expect<PickleDictionary>(Pop()), Pop(), Pop());
                Push(keywords.Items.Count == 0 ? Make(type, tuple) : throw Broken("The pickle passes keywords to a class."));
                return true;
            case (byte)'b': var state = Pop(); world.Build(Peek(), state); return true;
            case (byte)'Q': Push(world.Persistent(Pop())); return true;
            default: return false;
        }
    }

    private object? Make(object? callee, object? arguments) => world.Make(Expect<PickleGlobal>(callee), Expect<PickleTuple>(arguments).Items);

    private static PickleList Fill(PickleList list, object?[] items)
    {
        list.AddRange(items);
        return list;
    }

    private PickleDictionary Fill(PickleDictionary dictionary, object?[] items)
    {
        if (items.Length % 2 != 0) throw Broken("A dictionary of the pickle has a key without a value.");
        for (var i = 0; i < items.Length; i += 2) dictionary.Items.Add((items[i], items[i + 1]));
        return dictionary;
    }

    private void Push(object? value) => _stack.Push(value);

    private object? Pop() => _stack.TryPop(out var value) && !ReferenceEquals(value, Mark) ? value : throw Broken("The pickle takes more from its stack than is there.");

    private object? Peek() => _stack.TryPeek(out var value) && !ReferenceEquals(value, Mark) ? value : throw Broken("The pickle takes more from its stack than is there.");

    private object?[] ToMark()
    {
        var items = new List<object?>();
        while (_stack.TryPop(out var value))
        {
            if (ReferenceEquals(value, Mark))
            {
                items.Reverse();
                return [.. items];
            }

            items.Add(value);
        }

        throw Broken("The pickle takes more from its stack than is there.");
    }

    private object? Recall(long index) => _memo.TryGetValue(index, out var value) ? value : throw Broken("The pickle refers to something that it did not keep.");

    private T Expect<T>(object? value) where T : class => value as T ?? throw Broken($"The pickle has something else where a {typeof(T).Name} belongs.");

    private ReadOnlySpan<byte> Bytes(int count)
    {
        var span = block.Span(Position, count);
        Position += count;
        return span;
    }

    private int Length32() => BinaryPrimitives.ReadInt32LittleEndian(Bytes(4)) is var length and >= 0 ? length : throw Broken("A length in the pickle is negative.");

    private int Length64() =>
        BinaryPrimitives.ReadInt64LittleEndian(Bytes(8)) is var length and >= 0 and <= int.MaxValue ? (int)length : throw Broken("A length in the pickle is out of range.");

    private string Text(int length) => Encoding.UTF8.GetString(Bytes(length));

    private string Latin(int length) => Encoding.Latin1.GetString(Bytes(length));

    private string Line()
    {
        var rest = block.Span(Position, (int)Math.Min(block.Length - Position, 1 << 16));
        var end = rest.IndexOf((byte)'\n');
        if (end < 0) throw Broken("A line of the pickle does not end.");
        Position += end + 1;
        return Encoding.Latin1.GetString(rest[..end]);
    }

    private long LineNumber() => IntegerText(Line()) is long number ? number : throw Broken("A number in the pickle is too large.");

    // Protocol 0 writes booleans as the integers 00 and 01.
    private object IntegerLine() => Line() switch { "00" => false, "01" => true, var text => IntegerText(text) };

    private object IntegerText(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? (object)number
        : text.Length <= LongestNumber && BigInteger.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var big) ? big
        : throw Broken("A number in the pickle cannot be read.");

    private double FloatText(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : throw Broken("A number in the pickle cannot be read.");

    private string QuotedText(string text) =>
        text.Length >= 2 && text[0] == text[^1] && text[0] is '\'' or '"' ? Unescape(text[1..^1], "uUx\\'\"abfnrtv") : throw Broken("A text in the pickle has no quotes.");

    // Python's escapes in the text protocol: \uXXXX, \UXXXXXXXX, \xXX and single characters, those of them that are in `known`.
    private string Unescape(string text, string known)
    {
        if (!text.Contains('\\')) return text;
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\' || i + 1 == text.Length || !known.Contains(text[i + 1]))
            {
                result.Append(text[i]);
                continue;
            }

            var kind = text[++i];
            var digits = kind switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
            if (digits == 0)
            {
                result.Append("\a\b\f\n\r\t\v".ElementAtOrDefault("abfnrtv".IndexOf(kind)) is var control and not '\0' ? control : kind);
            }
            else if (i + digits < text.Length && int.TryParse(text.AsSpan(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
                && (code is >= 0 and <= char.MaxValue || Rune.IsValid(code)))
            {
                result.Append(code <= char.MaxValue ? ((char)code).ToString() : new Rune(code).ToString());
                i += digits;
            }
            else
            {
                throw Broken("A text in the pickle has an escape that cannot be read.");
            }
        }

        return result.ToString();
    }

    private object Integer(ReadOnlySpan<byte> littleEndian)
    {
        if (littleEndian.Length > LongestNumber) throw Broken("A number in the pickle is too long.");
        var number = new BigInteger(littleEndian);
        return number >= long.MinValue && number <= long.MaxValue ? (object)(long)number : number;
    }

    private CheckpointException Broken(string what) => CheckpointErrors.Malformed(block.Path, what, found: $"byte {Position}");
}

/// <summary>What the names in a pickle mean.</summary>
internal interface IPickleWorld
{
    /// <summary>A name that is known.</summary>
    /// <exception cref="CheckpointException"><see cref="ErrorCodes.CheckpointForbidden"/>: it is not.</exception>
    object Global(string module, string name);

    /// <summary>What a known class or function makes of its arguments.</summary>
    object? Make(PickleGlobal callee, object?[] arguments);

    /// <summary>Gives an object its attributes.</summary>
    void Build(object? target, object? state);

    /// <summary>Something that is stored outside the pickle.</summary>
    object? Persistent(object? id);
}
