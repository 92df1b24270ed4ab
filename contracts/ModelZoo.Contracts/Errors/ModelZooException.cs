using System.Text;

namespace ModelZoo.Contracts;

/// <summary>
/// An error for people: what was wrong, where, what was expected, what was found and what to do.
/// Plugins throw it or one of its descendants; the host turns it into an exit code or a problem document and goes on.
/// </summary>
public class ModelZooException : Exception
{
    /// <summary>Makes an error with a stable code and one sentence that says what was wrong.</summary>
    public ModelZooException(string code, string what, Exception? inner = null) : base(what, inner) => Code = code;

    /// <summary>One of <see cref="ErrorCodes"/>, or a plugin's own in the same form.</summary>
    public string Code { get; }

    /// <summary>What was wrong, without where, expected, found and remedy.</summary>
    public string What => base.Message;

    /// <summary>File, key, tensor or node in question.</summary>
    public string? Where { get; init; }

    /// <summary>What would have been right.</summary>
    public string? Expected { get; init; }

    /// <summary>What was there.</summary>
    public string? Found { get; init; }

    /// <summary>What the reader can do about it.</summary>
    public string? Remedy { get; init; }

    /// <inheritdoc/>
    public override string Message
    {
        get
        {
            var text = new StringBuilder(What);
            if (Where is not null) text.Append(" At: ").Append(Where).Append('.');
            if (Expected is not null) text.Append(" Expected: ").Append(Expected).Append('.');
            if (Found is not null) text.Append(" Found: ").Append(Found).Append('.');
            if (Remedy is not null) text.Append(' ').Append(Remedy);
            return text.ToString();
        }
    }
}

/// <summary>A checkpoint file that cannot be used; <see cref="ModelZooException.Where"/> names file and tensor.</summary>
public sealed class CheckpointException(string code, string what, Exception? inner = null) : ModelZooException(code, what, inner);

/// <summary>A graph that cannot be built; <see cref="ModelZooException.Where"/> names the node's path.</summary>
public sealed class GraphException(string what, Exception? inner = null) : ModelZooException(ErrorCodes.GraphShape, what, inner);

/// <summary>Options that cannot be taken; <see cref="ModelZooException.Where"/> names the option.</summary>
public sealed class OptionsException(string code, string what, Exception? inner = null) : ModelZooException(code, what, inner);

/// <summary>Media or tokens that cannot be taken.</summary>
public sealed class MediaException(string code, string what, Exception? inner = null) : ModelZooException(code, what, inner);
