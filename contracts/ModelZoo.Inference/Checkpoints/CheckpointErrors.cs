using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>The errors that several readers give.</summary>
internal static class CheckpointErrors
{
    public static CheckpointException Malformed(string path, string what, string? expected = null, string? found = null, Exception? inner = null) =>
        new(ErrorCodes.CheckpointMalformed, what, inner) { Where = path, Expected = expected, Found = found, Remedy = "The file is damaged or not what it seems; fetch it again." };

    public static CheckpointException Missing(string path, string what, string? expected = null) =>
        new(ErrorCodes.CheckpointMissing, what) { Where = path, Expected = expected };
}
