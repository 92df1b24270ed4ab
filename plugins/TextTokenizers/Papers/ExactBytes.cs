// Exact Byte-Level Probabilities from Tokenized Language Models for FIM-Tasks and Model Ensembles. Phan, Amos, Gat, Havasi, Muckley, Ullrich. arXiv:2410.09303. github.com/facebookresearch/Exact-Byte-Level-Probabilities-from-Tokenized-LMs
// Published layout: transformers' Llama (config.json + model.safetensors) with its SentencePiece tokenizer.model. Deviations: each text is read anew; the authors also carry covers from byte to byte.
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A causal language model over tokens.</summary>
internal interface INextToken
{
    /// <summary>Log-probabilities of the token after <paramref name="ids"/>, one an id.</summary>
    float[] LogProbabilities(IReadOnlyList<int> ids, CancellationToken cancel);
}

/// <summary>An encoding that covers a text: its last token reaches the text's end or crosses it.</summary>
/// <param name="Ids">Tokens after the common prefix.</param>
/// <param name="Bytes">All bytes that the prefix and the tokens spell.</param>
/// <param name="LogProbability">Given the prefix.</param>
internal sealed record Cover(int[] Ids, byte[] Bytes, double LogProbability);

/// <summary>The chance of each next byte under a model of tokens: the sum over all encodings that can still follow (lemma 1 and algorithm 1 of the paper).</summary>
internal sealed class ExactBytes
{
    private const char SpaceMark = '\u2581';
    private const int Bytes = 256;

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("exact-byte-probabilities", "Exact Byte-Level Probabilities from Tokenized Language Models for FIM-Tasks and Model Ensembles", "2410.09303",
            ["Buu Phan", "Brandon Amos", "Itai Gat", "Marton Havasi", "Matthew Muckley", "Karen Ullrich"], "facebookresearch/Exact-Byte-Level-Probabilities-from-Tokenized-LMs", "CC-BY-NC-4.0")
            with { Layouts = ["transformers Llama: config.json + model.safetensors + tokenizer.model"], Deviations = "Each text is read anew; the authors also carry covers from byte to byte. Texts are drawn and measured in ASCII alone." },
        source =>
        {
            var model = new LlamaNextToken(source);
            var exact = new ExactBytes(new(SentencePieceFile.Load(source.PathOf("tokenizer.model"))), model);
            return new PaperModel(source).Owns(model).With(new ExactByteVerbs(exact))
                .On("next_byte", (arguments, cancel) => new CallResults().Add("lines", [.. arguments.Lines("lines").Select(line => exact.Describe(line.Text("text"), cancel))]));
        });

    private readonly SentencePieceTokenizer _tokenizer;
    private readonly INextToken _model;
    private readonly byte[][] _spelling;    // of each ordinary or byte piece; empty for the others
    private readonly int[] _slot;           // where a token's chance goes: its first byte, or a place behind the bytes
    private readonly int _slots;

    public ExactBytes(SentencePieceTokenizer tokenizer, INextToken model)
    {
        (_tokenizer, _model) = (tokenizer, model);
        _spelling = [.. Enumerable.Range(0, tokenizer.IdLimit).Select(id => tokenizer.PieceOf(id) switch
        {
            { Type: PieceType.Byte } => tokenizer.BytesOf(id).ToArray(),
            { Type: PieceType.Control or PieceType.Unknown or PieceType.Unused } => [],
            var piece => Encoding.UTF8.GetBytes(piece.Text),
        })];
        // Unknown, start and end come first behind the bytes, then every other token that spells nothing.
        int[] special = [.. new[] { tokenizer.UnknownId, tokenizer.StartId ?? -1, tokenizer.EndId ?? -1 }.Concat(Enumerable.Range(0, _spelling.Length).Where(id => _spelling[id].Length == 0)).Distinct()];
        _slots = Bytes + special.Length;
        _slot = [.. _spelling.Select((bytes, id) => bytes.Length > 0 ? bytes[0] : Bytes + Array.IndexOf(special, id))];
    }

    /// <summary>Chances of each byte (and, behind them, of unknown, start, end and other tokens without bytes) after <paramref name="text"/>; its covers; and the tokens before its last word, which they share.</summary>
    /// <exception cref="MediaException">The text has no blank after a word, where the common tokens would end.</exception>
    public (double[] Next, IReadOnlyList<Cover> Covers, int[] Prefix) NextByte(string text, CancellationToken cancel = default)
    {
        text = text.Replace(' ', SpaceMark);
        var cut = LastWord(text);
        if (cut <= 0) throw new MediaException(ErrorCodes.TokensInvalid, "The text has no blank after a word.") { Expected = "two words", Found = text };
        int[] prefix = [.. Encode(text[..cut])], whole = [.. Encode(text)];
        var covers = Covers(text[..cut], text[cut..], prefix, cancel);
        var length = Spell(whole).Length;
        var scale = covers.Max(cover => cover.LogProbability);
        var exact = covers.Single(cover => cover.Bytes.Length == length);

        var next = new double[_slots];
        foreach (var cover in covers.Where(cover => cover.Bytes.Length > length)) next[cover.Bytes[length]] += Math.Exp(cover.LogProbability - scale);
        var after = _model.LogProbabilities(whole, cancel);
        var valid = ValidNext(whole);
        for (var id = 0; id < _slot.Length; id++)
        {
            if (valid[id]) next[_slot[id]] += Math.Exp(exact.LogProbability - scale + after[id]);
        }

        var sum = next.Sum();
        return ([.. next.Select(chance => chance / sum)], covers, prefix);
    }

    /// <summary>The same as a line of JSON.</summary>
    public JsonElement Describe(string text, CancellationToken cancel)
    {
        var (next, covers, prefix) = NextByte(text, cancel);
        return Line.Of(("next_byte", next), ("prefix_ids", prefix),
            ("covers", covers.Select(cover => Line.Of(("ids", cover.Ids), ("bytes", Convert.ToHexStringLower(cover.Bytes)), ("logprob", cover.LogProbability)))));
    }

    // A cover is the encoding of the text up to some place, and one token that spells all the rest and perhaps more.
    private List<Cover> Covers(string before, string last, int[] prefix, CancellationToken cancel)
    {
        var covers = new List<Cover>();
        var letters = Scalars.Split(last);
        for (var count = 0; count < letters.Length; count++)
        {
            cancel.ThrowIfCancellationRequested();
            int[] left = [.. Encode(before + Scalars.Join(letters.AsSpan(..count)))];
            var rest = Encoding.UTF8.GetBytes(Scalars.Join(letters.AsSpan(count..)));
            List<int> valid = [.. Enumerable.Range(0, _spelling.Length).Where(id => Covering(id, rest) && IsCanonical([.. left, id]))];
            if (valid.Count == 0) continue;
            var likelihood = Likelihood(left, prefix.Length, cancel);
            var after = _model.LogProbabilities(left, cancel);
            foreach (var id in valid) covers.Add(new([.. left[prefix.Length..], id], Spell([.. left, id]), likelihood + after[id]));
        }

        return covers;
    }

    private bool Covering(int id, byte[] rest) => IsByte(id) ? rest.Length == 1 && _spelling[id][0] == rest[0] : _spelling[id].AsSpan().StartsWith(rest);

    private double Likelihood(int[] ids, int from, CancellationToken cancel)
    {
        var sum = 0.0;
        for (var i = from; i < ids.Length; i++) sum += _model.LogProbabilities(ids[..i], cancel)[ids[i]];
        return sum;
    }

    // Tokens after which encoding the decoded text gives the same tokens again. Of bytes that are no characters, those that begin one may follow; tokens without bytes always may.
    private bool[] ValidNext(int[] ids)
    {
        var word = ids.Length - 1;
        while (word > 0 && !BeginsWord(ids, word)) word--;
        if (word == 0) throw new MediaException(ErrorCodes.TokensInvalid, "No token of the text begins a word.");
        return [.. Enumerable.Range(0, _spelling.Length).Select(id =>
            _spelling[id].Length == 0 || (IsByte(id) && _spelling[id][0] > 127 ? _spelling[id][0] is >= 0xC2 and <= 0xF4 : IsSame([.. ids[word..], id])))];
    }

    private bool BeginsWord(int[] ids, int i) => _tokenizer.PieceOf(ids[i]).Text.StartsWith(SpaceMark) && !_tokenizer.PieceOf(ids[i - 1]).Text.EndsWith(SpaceMark);

    private bool IsCanonical(int[] ids) => IsSame(ids[(_tokenizer.StartId is null ? 0 : 1)..]);

    private bool IsSame(int[] ids) => _tokenizer.EncodeToIds(_tokenizer.Decode(ids)).AsSpan().SequenceEqual(ids);

    private IEnumerable<int> Encode(string text) => _tokenizer.StartId is { } start ? _tokenizer.EncodeToIds(text).Prepend(start) : _tokenizer.EncodeToIds(text);

    private byte[] Spell(IEnumerable<int> ids) => [.. ids.SelectMany(id => _spelling[id])];

    private bool IsByte(int id) => _tokenizer.PieceOf(id).Type == PieceType.Byte;

    private static int LastWord(string text)
    {
        var place = text.Length - 1;
        while (place > 0 && !(text[place] == SpaceMark && text[place - 1] != SpaceMark)) place--;
        return place;
    }
}
