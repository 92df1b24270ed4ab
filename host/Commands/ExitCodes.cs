using ModelZoo.Contracts;

namespace ModelZoo.Host.Commands;

/// <summary>Exit codes of <c>modelzoo</c>.</summary>
internal static class ExitCodes
{
    /// <summary>It worked.</summary>
    public const int Ok = 0;
    /// <summary>It ran and failed.</summary>
    public const int Failed = 1;
    /// <summary>The command line, an option or the manifest is wrong.</summary>
    public const int Usage = 2;
    /// <summary>A model, plugin, file, device or library that was asked for is not there.</summary>
    public const int NotAvailable = 3;
    /// <summary>Ctrl-C.</summary>
    public const int Cancelled = 130;

    /// <summary>The code of an error.</summary>
    public static int Of(ModelZooException error) => error.Code switch
    {
        ErrorCodes.OptionUnknown or ErrorCodes.OptionType or ErrorCodes.OptionRange or ErrorCodes.ManifestInvalid => Usage,
        ErrorCodes.ModelUnknown or ErrorCodes.MetricUnknown or ErrorCodes.VerbUnsupported or ErrorCodes.CheckpointMissing or ErrorCodes.EngineMissing or ErrorCodes.DeviceUnavailable => NotAvailable,
        _ => Failed,
    };
}
