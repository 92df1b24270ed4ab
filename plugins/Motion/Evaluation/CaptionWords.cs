using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.Motion;

/// <summary>A caption as the evaluator reads it.</summary>
/// <param name="Words">GloVe vectors (1, L, 300).</param>
/// <param name="Tags">Parts of speech, one-hot (1, L, 15).</param>
/// <param name="Length">Words, start and end among them; what follows is padding.</param>
internal sealed record TaggedCaption(Tensor<float> Words, Tensor<float> Tags, int Length);

/// <summary>The word vectors of the published evaluator: <c>our_vab_data.npy</c> and <c>our_vab_idx.pkl</c>.</summary>
internal sealed class CaptionWords
{
    private const int Longest = 20;
    private static readonly string[] TagNames = ["VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV", "Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER"];

    // Words that count as more than their part of speech, as the authors list them.
    private static readonly Dictionary<string, string> Special = new (string Tag, string Words)[]
    {
        ("Loc_VIP", "left right clockwise counterclockwise anticlockwise forward back backward up down straight curve"),
        ("Body_VIP", "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh"),
        ("Obj_VIP", "stair dumbbell chair window floor car ball handrail baseball basketball"),
        ("Act_VIP", "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit lift lower raise wash stand kneel stroll rub bend balance flap jog shuffle lean rotate spin spread climb"),
        ("Desc_VIP", "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly"),
    }.SelectMany(list => list.Words.Split(' ').Select(word => (word, list.Tag))).ToDictionary();

    private readonly Tensor<float> _vectors;
    private readonly Dictionary<string, int> _rows;

    private CaptionWords(Tensor<float> vectors, Dictionary<string, int> rows) => (_vectors, _rows) = (vectors, rows);

    /// <summary>Opens the vectors of a folder.</summary>
    /// <exception cref="CheckpointException">They are not there.</exception>
    public static CaptionWords Open(string folder)
    {
        var (data, index) = (Path.Combine(folder, "our_vab_data.npy"), Path.Combine(folder, "our_vab_idx.pkl"));
        if (!File.Exists(data) || !File.Exists(index))
            throw new CheckpointException(ErrorCodes.CheckpointMissing, "The evaluator's word vectors are not there.") { Where = folder, Expected = "our_vab_data.npy, our_vab_idx.pkl", Remedy = "Unpack the authors' glove.zip there, or say where it is with --option glove=DIR." };
        var vectors = Decimals.Read(data);
        using var words = Checkpoint.Open(index);
        return new(vectors, words.Values.ToDictionary(entry => entry.Key, entry => Convert.ToInt32(entry.Value, System.Globalization.CultureInfo.InvariantCulture)));
    }

    /// <summary>A caption's words with their tags, <c>a/DET man/NOUN walk/VERB</c>: cut to twenty, framed, filled.</summary>
    public TaggedCaption Encode(string tagged)
    {
        string[] words = ["sos/OTHER", .. tagged.Split(' ', StringSplitOptions.RemoveEmptyEntries).Take(Longest), "eos/OTHER"];
        var (vectors, tags, width) = (Tensor.Zeros<float>(1, Longest + 2, _vectors.Shape[1]), Tensor.Zeros<float>(1, Longest + 2, TagNames.Length), (int)_vectors.Shape[1]);
        for (var i = 0; i < Longest + 2; i++)
        {
            var parts = (i < words.Length ? words[i] : "unk/OTHER").Split('/');
            var (word, tag) = (parts[0], parts.Length > 1 ? parts[^1] : "OTHER");
            var known = _rows.TryGetValue(word, out var row);
            if (!known && !_rows.TryGetValue("unk", out row)) throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The word vectors have none for unknown words.") { Expected = "unk" };
            _vectors.Slice(row).Span.CopyTo(vectors.Span[(i * width)..]);
            var place = known ? Array.IndexOf(TagNames, Special.GetValueOrDefault(word, tag)) : -1;
            tags[0, i, place >= 0 ? place : TagNames.Length - 1] = 1;
        }

        return new(vectors, tags, words.Length);
    }
}
