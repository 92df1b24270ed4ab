namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>A text cut into pieces: the state between the steps of a tokenizer. Pieces that are already tokens (added tokens) are left alone by all further steps.</summary>
internal sealed class PieceList
{
    public PieceList(byte[] utf8)
    {
        Original = utf8;
        Pieces = [new(AlignedText.Of(utf8), null)];
    }

    public PieceList(AlignedText text)
    {
        Original = [];
        Pieces = [new(text, null)];
    }

    /// <summary>The original text; nothing where nobody asks for places in it.</summary>
    public byte[] Original { get; }

    /// <summary>The pieces, in order.</summary>
    public List<Piece> Pieces { get; private set; }

    /// <summary>Cuts every piece that is not yet a token; empty parts are dropped.</summary>
    public void Split(Func<int, AlignedText, IEnumerable<AlignedText>> split) => SplitPieces((index, text) => split(index, text).Select(part => new Piece(part, null)));

    /// <summary>Cuts every piece that is not yet a token; empty parts are dropped.</summary>
    public void SplitPieces(Func<int, AlignedText, IEnumerable<Piece>> split)
    {
        var result = new List<Piece>(Pieces.Count * 2);
        for (var i = 0; i < Pieces.Count; i++)
        {
            if (Pieces[i].Tokens is not null) result.Add(Pieces[i]);
            else result.AddRange(split(i, Pieces[i].Text).Where(part => part.Text.Length > 0));
        }

        Pieces = result;
    }

    /// <summary>Changes the text of every piece that is not yet a token.</summary>
    public void Normalize(Func<AlignedText, AlignedText> normalize)
    {
        for (var i = 0; i < Pieces.Count; i++)
        {
            if (Pieces[i].Tokens is null) Pieces[i] = Pieces[i] with { Text = normalize(Pieces[i].Text) };
        }
    }
}

/// <summary>A piece of text, and its tokens once there are any.</summary>
internal sealed record Piece(AlignedText Text, List<PieceToken>? Tokens);

/// <summary>A token of a piece.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Start">Where it starts in the piece, in bytes.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Text">What stands for it, where that is not the vocabulary's own string.</param>
internal readonly record struct PieceToken(int Id, int Start, int End, string? Text = null);
