using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Errors of reference calls.</summary>
internal static class Calls
{
    /// <summary>The model has no such call.</summary>
    public static ModelZooException Unknown(string call, string known) => new(ErrorCodes.VerbUnsupported, $"The model has no call '{call}'.") { Where = call, Expected = known };

    /// <summary>The call lacks an argument.</summary>
    public static ModelZooException Lacks(string argument) => new(ErrorCodes.VerbUnsupported, "The call lacks an argument.") { Where = argument };
}
