using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Speech;

/// <summary>Features that a prompt holds as a tensor.</summary>
internal static class PromptTensors
{
    // The array of an .npy file has no name of its own.
    private const string Unnamed = "array";

    /// <summary>The features of one sound, (1, ..) where the prompt has them without a batch too; null when it holds none.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="name">What they are called in a file of several tensors.</param>
    /// <param name="rows">Extent of the first axis after the batch's; null for any number of frames.</param>
    /// <param name="columns">Extent of the second.</param>
    /// <exception cref="MediaException">They have another shape, are of several sounds, or not finite.</exception>
    public static Tensor<float>? Find(Prompt prompt, string name, int? rows, int? columns)
    {
        if (prompt.Media.OfType<NamedTensors>().FirstOrDefault()?.Values is not { } values || (values.GetValueOrDefault(name) ?? values.GetValueOrDefault(Unnamed)) is not { } tensor) return null;
        var given = tensor switch
        {
            Tensor<float> { Rank: 2 } single => single.Reshape(1, single.Shape[0], single.Shape[1]),
            Tensor<float> { Rank: 3 } whole => whole,
            _ => null,
        };
        if (given is not { Length: > 0 } || given.Shape[0] != 1 || given.Shape[1] != (rows ?? given.Shape[1]) || given.Shape[2] != (columns ?? given.Shape[2]))
            throw new MediaException(ErrorCodes.MediaUnsupported, "The features do not fit the model.") { Where = name, Expected = Shape(rows, columns), Found = tensor.ToString() };
        return TensorPrimitives.IsFiniteAll<float>(given.Span) ? given
            : throw new MediaException(ErrorCodes.MediaMalformed, "The features have numbers that are not finite.") { Where = name };
    }

    /// <summary>The same where the prompt must hold them.</summary>
    /// <exception cref="MediaException">It holds none, or others.</exception>
    public static Tensor<float> Require(Prompt prompt, string name, int? rows, int? columns, string meaning) => Find(prompt, name, rows, columns)
        ?? throw new MediaException(ErrorCodes.MediaUnsupported, $"The prompt needs a tensor '{name}'.") { Expected = $"{name}, {Shape(rows, columns)}: {meaning}", Remedy = "Give a .safetensors file that holds it, or an .npy file of it alone." };

    private static string Shape(int? rows, int? columns) => $"Float32[1, {rows?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "frames"}, {columns?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "frames"}]";
}
