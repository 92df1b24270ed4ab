namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A token and what it comes from in the text.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Start">First UTF-16 unit.</param>
/// <param name="End">Unit after the last; the start for a token that stands for no text, such as the mark of a capital letter.</param>
internal readonly record struct PlacedToken(int Id, int Start, int End)
{
    /// <summary>The ids alone.</summary>
    public static int[] Ids(IEnumerable<PlacedToken> tokens) => [.. tokens.Select(token => token.Id)];
}
