// T-FREE, arXiv:2406.19223: texts as rows of the embedding table.
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>
/// The verb tokenize. A word is a set of rows, and a text (words, w) of them: words with fewer rows than others repeat their last, which changes no set. Rows do not tell a word; the words travel with them, as <c>words</c>
/// (UTF-8) and <c>word_lengths</c> (bytes of each), and make the text again.
/// </summary>
internal sealed class TFreeVerbs(string model, TFree hashing, TFreeConfig config) : ITokenize<Text, NoOptions>
{
    private const string Words = "words", Lengths = "word_lengths";

    private readonly TokenSpace _space = new(model, TokenLayout.Grid, [config.VocabSize], Published.Digest([config.ToString()]));

    public ValueTask<Tokens> TokenizeAsync(Text media, NoOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var words = TFreeWords.Split(config.Lowercase ? PythonText.Lower(media.Value) : media.Value);
        var rows = words.ConvertAll(hashing.RowsOf);
        var width = rows.Count == 0 ? 0 : rows.Max(own => own.Length);
        var ids = new int[words.Count * width];
        for (var i = 0; i < ids.Length; i++) ids[i] = rows[i / width][Math.Min(i % width, rows[i / width].Length - 1)];
        var utf8 = words.ConvertAll(Encoding.UTF8.GetBytes);
        byte[] letters = [.. utf8.SelectMany(word => word)];
        return ValueTask.FromResult(new Tokens(_space, Tensor.Create(ids, words.Count, width))
        {
            SourceLength = media.Value.Length,
            Extras = new Dictionary<string, Tensor> { [Words] = Tensor.Create(letters, letters.Length), [Lengths] = Tensor.Create([.. utf8.Select(word => word.Length)], words.Count) },
        });
    }

    public ValueTask<Text> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default)
    {
        if (tokens.Expect(_space).Extras.GetValueOrDefault(Words) is not Tensor<byte> letters || tokens.Extras.GetValueOrDefault(Lengths) is not Tensor<int> lengths || lengths.Span.ToArray().Any(length => length < 0) || lengths.Span.ToArray().Sum(length => (long)length) != letters.Length)
            throw new MediaException(ErrorCodes.TokensInvalid, "Rows do not tell their words, and the words are not with them.") { Expected = $"{Words} and {Lengths}, as tokenize gives them" };
        var (words, at) = (new List<string>(), 0);
        foreach (var length in lengths.Span)
        {
            words.Add(Encoding.UTF8.GetString(letters.Span.Slice(at, length)));
            at += length;
        }

        return ValueTask.FromResult(new Text(TFreeWords.Join(words)));
    }
}
