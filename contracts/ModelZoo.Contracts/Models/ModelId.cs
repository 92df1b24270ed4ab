using System.Diagnostics.CodeAnalysis;

namespace ModelZoo.Contracts;

/// <summary>The name of a model: <c>family/architecture</c>, or <c>family/architecture.tag</c> where the tag names the weights.</summary>
/// <param name="Family">The plugin's family, such as <c>speech</c>.</param>
/// <param name="Architecture">The network, such as <c>encodec</c>.</param>
/// <param name="Tag">The weights, such as <c>24khz</c>; null for the architecture itself.</param>
public sealed record ModelId(string Family, string Architecture, string? Tag = null)
{
    /// <summary>Reads <c>family/architecture[.tag]</c>: lower-case letters, digits, <c>-</c> and <c>_</c>.</summary>
    /// <exception cref="ModelZooException">The text has another form.</exception>
    public static ModelId Parse(string text) =>
        TryParse(text, out var id) ? id : throw new ModelZooException(ErrorCodes.ModelUnknown, "That is not the name of a model.")
        { Expected = "family/architecture or family/architecture.tag", Found = $"'{text}'" };

    /// <summary>Reads <c>family/architecture[.tag]</c>; false when the text has another form.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out ModelId? id)
    {
        id = null;
        var slash = text.IndexOf('/');
        if (slash <= 0) return false;
        var rest = text[(slash + 1)..];
        var dot = rest.IndexOf('.');
        var (architecture, tag) = dot < 0 ? (rest, null) : (rest[..dot], rest[(dot + 1)..]);
        if (!IsName(text[..slash]) || !IsName(architecture) || (tag is not null && !IsName(tag))) return false;
        id = new(text[..slash], architecture, tag);
        return true;
    }

    private static bool IsName(string name) => name.Length > 0 && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_');

    /// <summary>The id without the tag.</summary>
    public ModelId WithoutTag => this with { Tag = null };

    /// <inheritdoc/>
    public override string ToString() => Tag is null ? $"{Family}/{Architecture}" : $"{Family}/{Architecture}.{Tag}";
}
