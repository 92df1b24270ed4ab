using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech;

/// <summary>The phones of the CMU dictionary as Tacotron's text front end numbers them: vowels without and with the stresses 0, 1, 2.</summary>
internal static class ArpabetPhones
{
    /// <summary>The phones in order.</summary>
    public static readonly IReadOnlyList<string> Dictionary =
    [
        .. "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".Split(' ')
            .SelectMany(phone => "AEIOU".Contains(phone[0]) ? (string[])[phone, phone + "0", phone + "1", phone + "2"] : [phone]),
    ];

    private static readonly string[] Names =
    [
        .. Dictionary, "sp", "spn", "sil", "<s>", "</s>",
    ];

    /// <summary>Ids of phones between blanks; braces are ignored, and numbers stand for themselves.</summary>
    /// <exception cref="MediaException">There is none, one is not known, or an id is outside the vocabulary.</exception>
    public static long[] Ids(string text, int vocabulary)
    {
        var ids = text.Split([' ', '\t', '\n', '\r', '{', '}'], StringSplitOptions.RemoveEmptyEntries).Select(Id).ToArray();
        if (ids.Length == 0) throw new MediaException(ErrorCodes.MediaMalformed, "There are no phones.") { Expected = "phones such as HH AH0 L OW1" };
        if (ids.FirstOrDefault(id => id < 0 || id >= vocabulary) is var outside and not 0) throw new MediaException(ErrorCodes.MediaMalformed, "The model does not know this phone.") { Expected = $"ids 0..{vocabulary - 1}", Found = $"{outside}" };
        return ids;
    }

    private static long Id(string phone)
    {
        if (long.TryParse(phone, out var number)) return number;
        var id = Array.IndexOf(Names, phone);
        return id >= 0 ? id : throw new MediaException(ErrorCodes.MediaMalformed, "This is not a phone.") { Expected = string.Join(' ', Names), Found = phone, Remedy = "Give the phones of the words, as the CMU dictionary writes them." };
    }
}
