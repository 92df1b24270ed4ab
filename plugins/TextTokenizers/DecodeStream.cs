using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers;

/// <summary>Decodes ids one by one. Text is given as soon as no further id can change it; half a character never is.</summary>
public sealed class DecodeStream
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly List<int> _ids = [];
    private string _prefix = "";
    private int _prefixIndex;

    internal DecodeStream(Tokenizer tokenizer, bool skipSpecialTokens) => (_tokenizer, _skipSpecialTokens) = (tokenizer, skipSpecialTokens);

    /// <summary>What an id adds to the text; null when that is not known yet.</summary>
    /// <exception cref="MediaException">The decoder makes something else of the text so far now that the id is there.</exception>
    public string? Step(int id)
    {
        if (_prefix.Length == 0 && _ids.Count > 0)
        {
            var prefix = Decode();
            if (!prefix.EndsWith('\uFFFD')) (_prefix, _prefixIndex) = (prefix, _ids.Count);
        }

        _ids.Add(id);
        var text = Decode();
        if (System.Text.Encoding.UTF8.GetByteCount(text) <= System.Text.Encoding.UTF8.GetByteCount(_prefix) || text.EndsWith('\uFFFD')) return null;
        if (!text.StartsWith(_prefix, StringComparison.Ordinal))
        {
            throw new MediaException(ErrorCodes.TokensInvalid, "An id changes text that was already given.") { Where = $"id {id}", Expected = _prefix, Found = text };
        }

        var added = text[_prefix.Length..];
        var next = _ids.Count - _prefixIndex;
        _ids.RemoveRange(0, _prefixIndex);
        (_prefix, _prefixIndex) = (Decode(), next);
        return added;
    }

    private string Decode() => _tokenizer.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_ids), _skipSpecialTokens);
}
