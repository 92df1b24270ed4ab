using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>What a piece is for.</summary>
public enum PieceType
{
    /// <summary>An ordinary piece.</summary>
    Normal = 1,

    /// <summary>The unknown piece.</summary>
    Unknown = 2,

    /// <summary>A piece that no text gives rise to, such as <c>&lt;s&gt;</c>.</summary>
    Control = 3,

    /// <summary>A piece that is always taken whole.</summary>
    UserDefined = 4,

    /// <summary>A piece that is not used.</summary>
    Unused = 5,

    /// <summary>A piece that stands for one byte.</summary>
    Byte = 6,
}

/// <summary>How a model cuts text.</summary>
public enum SentencePieceKind
{
    /// <summary>By the likeliest segmentation.</summary>
    Unigram = 1,

    /// <summary>By merges.</summary>
    Bpe = 2,

    /// <summary>At white space.</summary>
    Word = 3,

    /// <summary>Into characters.</summary>
    Character = 4,
}

/// <summary>A piece of a SentencePiece model.</summary>
/// <param name="Text">The piece.</param>
/// <param name="Score">Its log-probability, or the priority of its merge.</param>
/// <param name="Type">What it is for.</param>
public sealed record VocabularyPiece(string Text, float Score, PieceType Type);

/// <summary>How text is normalized.</summary>
public sealed record SentencePieceRules
{
    /// <summary>The rules, compiled; empty for none.</summary>
    public byte[] CharacterMap { get; init; } = [];

    /// <summary>Whether a space is put in front (or behind, where white space is a suffix).</summary>
    public bool AddDummyPrefix { get; init; } = true;

    /// <summary>Whether runs of spaces become one, and those at the ends vanish.</summary>
    public bool RemoveExtraWhitespaces { get; init; } = true;

    /// <summary>Whether spaces become U+2581.</summary>
    public bool EscapeWhitespaces { get; init; } = true;
}

/// <summary>A SentencePiece <c>.model</c> file: a Protocol Buffers message.</summary>
public sealed record SentencePieceFile
{
    /// <summary>The pieces; the place in the list is the id.</summary>
    public required IReadOnlyList<VocabularyPiece> Pieces { get; init; }

    /// <summary>How text is cut.</summary>
    public SentencePieceKind Kind { get; init; } = SentencePieceKind.Unigram;

    /// <summary>How text is normalized.</summary>
    public SentencePieceRules Normalizer { get; init; } = new();

    /// <summary>What is done to decoded text.</summary>
    public SentencePieceRules? Denormalizer { get; init; }

    /// <summary>Whether unknown characters become bytes.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether spaces go with the word before.</summary>
    public bool TreatWhitespaceAsSuffix { get; init; }

    /// <summary>What decoding writes for the unknown piece.</summary>
    public string UnknownSurface { get; init; } = " \u2047 ";

    /// <summary>The unknown piece.</summary>
    public string UnknownPiece { get; init; } = "<unk>";

    /// <summary>The piece at the start.</summary>
    public string StartPiece { get; init; } = "<s>";

    /// <summary>The piece at the end.</summary>
    public string EndPiece { get; init; } = "</s>";

    /// <summary>The padding piece.</summary>
    public string PaddingPiece { get; init; } = "<pad>";

    /// <summary>Texts with their pieces, joined by spaces, by which a model tells that it is read as it was meant.</summary>
    public IReadOnlyList<(string Input, string Expected)> SelfTests { get; init; } = [];

    /// <summary>Reads a file.</summary>
    /// <exception cref="CheckpointException">It is missing or breaks the format.</exception>
    public static SentencePieceFile Load(string path)
    {
        try
        {
            return Parse(File.ReadAllBytes(path));
        }
        catch (IOException error)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMissing, "The SentencePiece model cannot be read.", error) { Where = path };
        }
        catch (FormatException error)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, $"The SentencePiece model cannot be read: {error.Message}.", error) { Where = path };
        }
    }

    /// <summary>Reads a file's bytes.</summary>
    /// <exception cref="FormatException">They break the format.</exception>
    public static SentencePieceFile Parse(ReadOnlySpan<byte> message)
    {
        var pieces = new List<VocabularyPiece>();
        var tests = new List<(string, string)>();
        var file = new SentencePieceFile { Pieces = pieces, SelfTests = tests };
        for (var reader = new ProtoReader(message); reader.Next();)
        {
            switch (reader.Field)
            {
                case 1: pieces.Add(ReadPiece(reader.Bytes)); break;
                case 2: file = ReadTrainer(file, reader.Bytes); break;
                case 3: file = file with { Normalizer = ReadRules(reader.Bytes) }; break;
                case 4: ReadSelfTests(reader.Bytes, tests); break;
                case 5: file = file with { Denormalizer = ReadRules(reader.Bytes) }; break;
            }
        }

        return file;
    }

    private static VocabularyPiece ReadPiece(ReadOnlySpan<byte> message)
    {
        var (text, score, type) = ("", 0f, PieceType.Normal);
        for (var reader = new ProtoReader(message); reader.Next();)
        {
            switch (reader.Field)
            {
                case 1: text = reader.Text; break;
                case 2: score = reader.Float; break;
                case 3: type = Enum.IsDefined((PieceType)reader.Integer) ? (PieceType)reader.Integer : throw new FormatException($"a piece is of the unknown type {reader.Integer}"); break;
            }
        }

        return text.Length == 0 ? throw new FormatException("a piece is empty") : new(text, score, type);
    }

    private static SentencePieceFile ReadTrainer(SentencePieceFile file, ReadOnlySpan<byte> message)
    {
        for (var reader = new ProtoReader(message); reader.Next();)
        {
            switch (reader.Field)
            {
                case 3: file = file with { Kind = Enum.IsDefined((SentencePieceKind)reader.Integer) ? (SentencePieceKind)reader.Integer : throw new FormatException($"the model is of the unknown type {reader.Integer}") }; break;
                case 24: file = file with { TreatWhitespaceAsSuffix = reader.Flag }; break;
                case 35: file = file with { ByteFallback = reader.Flag }; break;
                case 44: file = file with { UnknownSurface = reader.Text }; break;
                case 45 when reader.Bytes.Length > 0: file = file with { UnknownPiece = reader.Text }; break;
                case 46 when reader.Bytes.Length > 0: file = file with { StartPiece = reader.Text }; break;
                case 47 when reader.Bytes.Length > 0: file = file with { EndPiece = reader.Text }; break;
                case 48 when reader.Bytes.Length > 0: file = file with { PaddingPiece = reader.Text }; break;
            }
        }

        return file;
    }

    private static void ReadSelfTests(ReadOnlySpan<byte> message, List<(string Input, string Expected)> tests)
    {
        for (var reader = new ProtoReader(message); reader.Next();)
        {
            if (reader.Field != 1) continue;
            var (input, expected) = ("", "");
            for (var sample = new ProtoReader(reader.Bytes); sample.Next();)
            {
                if (sample.Field == 1) input = sample.Text;
                else if (sample.Field == 2) expected = sample.Text;
            }

            tests.Add((input, expected));
        }
    }

    private static SentencePieceRules ReadRules(ReadOnlySpan<byte> message)
    {
        var rules = new SentencePieceRules();
        for (var reader = new ProtoReader(message); reader.Next();)
        {
            switch (reader.Field)
            {
                case 2: rules = rules with { CharacterMap = reader.Bytes.ToArray() }; break;
                case 3: rules = rules with { AddDummyPrefix = reader.Flag }; break;
                case 4: rules = rules with { RemoveExtraWhitespaces = reader.Flag }; break;
                case 5: rules = rules with { EscapeWhitespaces = reader.Flag }; break;
            }
        }

        return rules;
    }
}
