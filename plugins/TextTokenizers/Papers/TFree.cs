// T-FREE: Subword Tokenizer-Free Generative LLMs via Sparse Representations for Memory-Efficient Embeddings. Deiseroth, Brack, Schramowski, Kersting, Weinbach. arXiv:2406.19223. github.com/Aleph-Alpha/trigrams
// Published layout: config.json of the tokenizer. Deviations: the classic tokenizer and the orthogonal table that the code also offers are not here.
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Settings of the hashing; keys as published.</summary>
/// <param name="VocabSize">Rows of the embedding table.</param>
/// <param name="VocabPopulation">Rows that a trigram activates.</param>
/// <param name="LowercasePopulation">How many of them are those of the lower-case trigram.</param>
/// <param name="Lowercase">True when the text is lower-cased first.</param>
/// <param name="EntireWords">True when words are hashed whole.</param>
internal sealed record TFreeConfig(int VocabSize, int VocabPopulation, int LowercasePopulation, bool Lowercase, bool EntireWords);

/// <summary>A word is the set of rows that the hashes of its byte trigrams name; there is no vocabulary.</summary>
internal sealed class TFree(TFreeConfig config)
{
    // The listing of a longer text would be mostly rows; it names trigrams alone.
    private const int MostWordsWithRows = 11;

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("t-free", "T-FREE: Subword Tokenizer-Free Generative LLMs via Sparse Representations for Memory-Efficient Embeddings", "2406.19223",
            ["Björn Deiseroth", "Manuel Brack", "Patrick Schramowski", "Kristian Kersting", "Samuel Weinbach"], "Aleph-Alpha/trigrams", "Open Aleph License (non-commercial)")
            with { Layouts = ["config.json"], Deviations = "The classic tokenizer and the orthogonal table are not offered." },
        Open);

    /// <summary>The byte trigrams of " word ", as b0 + 256 b1 + 65536 b2, rising.</summary>
    public static SortedSet<int> Trigrams(string word)
    {
        var bytes = Encoding.UTF8.GetBytes($" {word} ");
        var trigrams = new SortedSet<int>();
        for (var i = 0; i + 3 <= bytes.Length; i++) trigrams.Add(bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16);
        return trigrams;
    }

    /// <summary>The rows of a trigram.</summary>
    public int[] Rows(int trigram)
    {
        var rows = HashRows(trigram);
        if (config.LowercasePopulation == 0) return rows;
        Span<byte> letters = [(byte)trigram, (byte)(trigram >> 8), (byte)(trigram >> 16)];
        foreach (ref var letter in letters)
        {
            if (letter != ' ' && !char.IsAsciiLetter((char)letter)) return rows;
            if (letter is >= (byte)'A' and <= (byte)'Z') letter |= 0x20;
        }

        var lower = HashRows(letters[0] | letters[1] << 8 | letters[2] << 16);
        lower.AsSpan(^config.LowercasePopulation..).CopyTo(rows.AsSpan(^config.LowercasePopulation..));
        return rows;
    }

    /// <summary>The rows of a word: those of its trigrams, rising, or those of the whole.</summary>
    public int[] RowsOf(string word) => IsWhole(word) ? WholeWord(word) : [.. new SortedSet<int>(Trigrams(word).SelectMany(Rows))];

    private bool IsWhole(string word) => config.EntireWords || word.Contains("<|", StringComparison.Ordinal);

    /// <summary>The rows of a word that is hashed whole, in order of the hashes, repeats kept.</summary>
    public int[] WholeWord(string word)
    {
        var own = config.VocabPopulation - config.LowercasePopulation;
        return
        [
            .. Enumerable.Range(0, own).Select(i => Hash($"{word}_{i}")),
            .. Enumerable.Range(0, config.LowercasePopulation).Select(i => Hash($"{PythonText.Lower(word)}_lower_{i}")),
        ];
    }

    // A sorted set: a hash that hits a taken row is drawn again.
    private int[] HashRows(int trigram)
    {
        var rows = new SortedSet<int>();
        for (var k = 0; k < config.VocabPopulation; k++)
        {
            for (var j = 0; !rows.Add(Hash(string.Create(CultureInfo.InvariantCulture, $"{trigram}_{k}_{j}"))); j++) { }
        }

        return [.. rows];
    }

    // The 128-bit number of MD5, modulo the table: part of the published format, not of any security.
#pragma warning disable CA5351
    private int Hash(string text) => (int)(new BigInteger(MD5.HashData(Encoding.UTF8.GetBytes(text)), isUnsigned: true, isBigEndian: true) % config.VocabSize);
#pragma warning restore CA5351

    private static PaperModel Open(ModelSource source)
    {
        var file = source.Json("config.json");
        var config = new TFreeConfig(
            file.Member("vocab_size").AsInt(), file.Member("vocab_population").AsInt(), file.Find("vocab_population_partial_lowercase")?.AsInt() ?? 0,
            file.Find("lowercase")?.AsFlag() ?? false, file.Find("entire_words")?.AsFlag() ?? false);
        if (config.VocabPopulation > config.VocabSize)
            throw new CheckpointException(ErrorCodes.ConfigInvalid, "A trigram cannot activate more rows than there are.") { Where = "vocab_population", Found = $"{config.VocabPopulation} of {config.VocabSize}" };
        if (config.LowercasePopulation < 0 || config.LowercasePopulation > config.VocabPopulation)
            throw new CheckpointException(ErrorCodes.ConfigInvalid, "The rows of the lower-case trigram are some of all.") { Where = "vocab_population_partial_lowercase", Expected = $"0..{config.VocabPopulation}", Found = $"{config.LowercasePopulation}" };
        if (file.Find("do_classic_tokenization")?.AsFlag() == true) throw new CheckpointException(ErrorCodes.ConfigInvalid, "The classic tokenizer is a tokenizer.json.") { Where = "do_classic_tokenization", Expected = "false", Remedy = "Open it as text-tokenizers/tokenizer-json." };
        if (file.Find("initialize")?.AsText() is { } table and not "hash") throw new CheckpointException(ErrorCodes.ConfigInvalid, "Only the table of hashes is made.") { Where = "initialize", Expected = "hash", Found = table };
        var hashing = new TFree(config);
        return new PaperModel(source).OnLines("encode", hashing.Encode).With(new TFreeVerbs(source.Id.ToString(), hashing, config));
    }

    private JsonElement Encode(JsonElement line)
    {
        var text = line.Text("text");
        var words = TFreeWords.Split(config.Lowercase ? PythonText.Lower(text) : text);
        return Line.Of(("words", words), ("restored", TFreeWords.Join(words)), ("encoding", words.Select(word => Describe(word, rows: words.Count <= MostWordsWithRows))));
    }

    private JsonElement Describe(string word, bool rows)
    {
        if (IsWhole(word)) return Line.Of(("hash", WholeWord(word)));
        return rows ? Line.Of(("trigrams", Trigrams(word)), ("active", RowsOf(word))) : Line.Of(("trigrams", Trigrams(word)));
    }
}
