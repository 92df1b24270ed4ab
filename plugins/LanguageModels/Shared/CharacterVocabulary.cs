using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Ids of characters: a list of the characters of a corpus, or the 256 bytes.</summary>
internal sealed class CharacterVocabulary
{
    private const int Bytes = 256, Byt5Offset = 3;
    private readonly byte[][] _bytes;
    private readonly Dictionary<string, int> _ids = [];

    private CharacterVocabulary(byte[][] bytes)
    {
        _bytes = bytes;
        for (var id = 0; id < bytes.Length; id++)
        {
            if (bytes[id].Length > 0) _ids.TryAdd(Key(bytes[id]), id);
        }
    }

    /// <summary>Number of ids.</summary>
    public int Size => _bytes.Length;

    /// <summary>Characters in the order of their ids; other texts than characters, such as names of marks, stand for no bytes.</summary>
    public static CharacterVocabulary Of(IEnumerable<string> characters) => new([.. characters.Select(text => text.EnumerateRunes().Count() == 1 ? Encoding.UTF8.GetBytes(text) : [])]);

    /// <summary>The bytes, behind the three marks of ByT5's tokenizer where there is room for them.</summary>
    public static CharacterVocabulary OfBytes(int size)
    {
        var offset = size >= Bytes + Byt5Offset ? Byt5Offset : 0;
        return new([.. Enumerable.Range(0, size).Select(id => id - offset is >= 0 and < Bytes and var value ? (byte[])[(byte)value] : [])]);
    }

    /// <summary>The same of a file.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>: there is something else in it.</exception>
    public static CharacterVocabulary OfFile(string path, int size)
    {
        try
        {
            return OfJson(JsonElement.Parse(File.ReadAllBytes(path)), path, size);
        }
        catch (JsonException error)
        {
            throw Invalid(path, size, "no JSON", error);
        }
    }

    /// <summary>Characters as JSON: a list, or an object of each character's id.</summary>
    /// <param name="json">The JSON.</param>
    /// <param name="origin">Where it is, for messages.</param>
    /// <param name="size">Ids of the model.</param>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>: it is another, or of other ids.</exception>
    public static CharacterVocabulary OfJson(JsonElement json, string origin, int size)
    {
        try
        {
            if (json.ValueKind != JsonValueKind.Array)
            {
                var ids = json.EnumerateObject().ToDictionary(item => item.Value.GetInt32(), item => item.Name);
                var (first, last) = (ids.Keys.Min(), ids.Keys.Max());
                return first >= 0 && last < size ? Of(Enumerable.Range(0, last + 1).Select(id => ids.GetValueOrDefault(id, ""))) : throw Invalid(origin, size, $"{first} to {last}");
            }

            var characters = json.EnumerateArray().Select(item => item.GetString() ?? throw new FormatException()).ToArray();
            return characters.Length > 0 && characters.Length <= size ? Of(characters) : throw Invalid(origin, size, $"{characters.Length} characters");
        }
        catch (Exception error) when (error is InvalidOperationException or FormatException or ArgumentException)
        {
            throw Invalid(origin, size, json.ValueKind.ToString().ToLowerInvariant(), error);
        }
    }

    /// <summary>What the ids mean, for tokens of <paramref name="model"/>.</summary>
    public TokenSpace Space(string model) => new(model, TokenLayout.Flat, [Size], Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Join(' ', _bytes.Select(Convert.ToHexString))))));

    /// <summary>The id of a character; null when there is none.</summary>
    public int? Find(string character) => _ids.TryGetValue(Key(Encoding.UTF8.GetBytes(character)), out var id) ? id : null;

    /// <summary>The bytes of an id; none for a mark.</summary>
    public byte[] BytesOf(int id) => (uint)id < (uint)_bytes.Length ? _bytes[id] : [];

    /// <summary>The ids of a text, character by character, or byte by byte where the vocabulary has those.</summary>
    /// <exception cref="MediaException">A character is not in the vocabulary.</exception>
    public int[] Encode(string text)
    {
        var ids = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var bytes = Encoding.UTF8.GetBytes(rune.ToString());
            if (_ids.TryGetValue(Key(bytes), out var whole)) ids.Add(whole);
            else ids.AddRange(bytes.Select(value => _ids.TryGetValue(Key([value]), out var id) ? id : throw Unknown(rune)));
        }

        return [.. ids];
    }

    /// <summary>The text of ids.</summary>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>(ids.Length);
        foreach (var id in ids) bytes.AddRange(BytesOf(id));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static ModelZooException Invalid(string origin, int size, string found, Exception? error = null) => new(ErrorCodes.ConfigInvalid, "The vocabulary cannot be taken.", error)
    { Where = origin, Expected = $"a list of characters, or an object of each character's id, of ids below {size}", Found = found };

    private MediaException Unknown(Rune rune) => new(ErrorCodes.MediaUnsupported, "A character is not in the model's vocabulary.")
    {
        Expected = $"one of \"{string.Concat(_bytes.Take(100).Select(Encoding.UTF8.GetString))}\"",
        Found = Rune.IsControl(rune) ? $"U+{rune.Value:X4}" : $"'{rune}' (U+{rune.Value:X4})",
        Remedy = Rune.ToLowerInvariant(rune) is var lower && lower != rune && Find(lower.ToString()) is not null ? "Write the text in lower case." : null,
    };

    private static string Key(ReadOnlySpan<byte> bytes) => Convert.ToHexString(bytes);
}
