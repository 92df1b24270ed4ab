using System.Text;
using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.PreTokenizers;

/// <summary>Where the mark of a space is put although there is none.</summary>
public enum PrependScheme
{
    /// <summary>In front of every text between added tokens.</summary>
    Always,

    /// <summary>Only at the start of the whole text.</summary>
    First,

    /// <summary>Nowhere.</summary>
    Never,
}

/// <summary>SentencePiece's: makes spaces visible and cuts in front of them.</summary>
public sealed class MetaspacePreTokenizer : PreTokenizer
{
    private readonly byte[] _mark;
    private readonly TextPattern _space = TextPattern.Literal(" ");
    private readonly TextPattern _find;

    /// <summary>Marks spaces with <paramref name="replacement"/>.</summary>
    public MetaspacePreTokenizer(int replacement, PrependScheme scheme, bool split)
    {
        (Replacement, Scheme, SplitAtMark) = (replacement, scheme, split);
        _mark = Encoding.UTF8.GetBytes(char.ConvertFromUtf32(replacement));
        _find = TextPattern.Characters(c => c == replacement);
    }

    /// <summary>The code point that stands for a space.</summary>
    public int Replacement { get; }

    /// <summary>Where it is put although there is none.</summary>
    public PrependScheme Scheme { get; }

    /// <summary>Whether the text is cut in front of each.</summary>
    public bool SplitAtMark { get; }

    internal override bool CutsAt(string space) => SplitAtMark && space == " ";

    internal override void Apply(PieceList pieces) => pieces.Split((_, text) =>
    {
        text = text.Replace(_space.Find(text), _mark);
        if (Scheme != PrependScheme.Never && !text.Bytes.StartsWith(_mark) && (Scheme == PrependScheme.Always || text.OriginalStart == 0)) text = text.Prepend(_mark);
        return SplitAtMark ? text.Split(_find, SplitBehavior.MergedWithNext) : [text];
    });

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Metaspace");
        writer.WriteString("replacement", char.ConvertFromUtf32(Replacement));
        writer.WriteString("prepend_scheme", Scheme.ToString().ToLowerInvariant());
        writer.WriteBoolean("split", SplitAtMark);
    }
}
