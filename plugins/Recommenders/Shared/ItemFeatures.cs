using System.Globalization;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Tables with a row an item, as <c>.npy</c>, and items that are numbered by their rows.</summary>
internal static class ItemFeatures
{
    /// <summary>The table of a file (items, width).</summary>
    /// <exception cref="CheckpointException">The file is not there, or is no such table.</exception>
    public static Tensor<float> Read(string file, int width)
    {
        if (!File.Exists(file)) throw new CheckpointException(ErrorCodes.CheckpointMissing, "The items' features are not there.") { Where = file, Expected = $"(items, {width})" };
        var array = NumpyFile.Read(file);
        var table = array.ToSingle() ?? throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The features are no decimal numbers.") { Where = file, Found = array.ToString() };
        return table.Rank == 2 && table.Shape[1] == width ? table
            : throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The features have another shape.") { Where = file, Expected = $"(items, {width})", Found = table.ToString() };
    }

    /// <summary>An item's number.</summary>
    /// <param name="id">Its name in the data set, which is the number.</param>
    /// <param name="first">The lowest number.</param>
    /// <param name="count">How many items there are.</param>
    /// <exception cref="MediaException">There is no such item.</exception>
    public static int Number(string id, int first, long count) => int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= first && number < first + count ? number
        : throw new MediaException(ErrorCodes.MediaUnsupported, "The history has an item that the model does not know.") { Where = id, Expected = $"{first}..{first + count - 1}" };
}
