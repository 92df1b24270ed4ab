using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.Motion;

/// <summary>Published arrays of decimal numbers, which some scripts save in single and some in double precision.</summary>
internal static class Decimals
{
    /// <summary>The array of an <c>.npy</c> file in single precision.</summary>
    /// <exception cref="CheckpointException">It holds no decimal numbers, or is no such file.</exception>
    public static Tensor<float> Read(string path)
    {
        var array = NumpyFile.Read(path);
        return array.ToSingle() ?? throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The array holds no decimal numbers.") { Where = path, Found = array.ToString() };
    }
}
