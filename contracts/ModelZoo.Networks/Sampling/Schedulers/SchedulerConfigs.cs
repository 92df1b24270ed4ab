using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Reads published <c>scheduler_config.json</c> files. Keys that the named class does not have are passed over, as its library does.</summary>
public static partial class SchedulerConfigs
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        ReadCommentHandling = JsonCommentHandling.Skip,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    private static readonly Dictionary<string, Type> Classes = new()
    {
        ["DDPMScheduler"] = typeof(DdpmConfig),
        ["DDIMScheduler"] = typeof(DdimConfig),
        ["PNDMScheduler"] = typeof(PndmConfig),
        ["EulerDiscreteScheduler"] = typeof(EulerConfig),
        ["EulerAncestralDiscreteScheduler"] = typeof(EulerAncestralConfig),
        ["HeunDiscreteScheduler"] = typeof(HeunConfig),
        ["LCMScheduler"] = typeof(LcmConfig),
        ["TCDScheduler"] = typeof(TcdConfig),
        ["CMStochasticIterativeScheduler"] = typeof(ConsistencyConfig),
        ["EDMEulerScheduler"] = typeof(EdmEulerConfig),
        ["EDMDPMSolverMultistepScheduler"] = typeof(EdmDpmSolverConfig),
        ["DPMSolverMultistepScheduler"] = typeof(DpmSolverConfig),
        ["DPMSolverSinglestepScheduler"] = typeof(DpmSolverSinglestepConfig),
        ["DEISMultistepScheduler"] = typeof(DeisConfig),
        ["UniPCMultistepScheduler"] = typeof(UniPcConfig),
        ["FlowMatchEulerDiscreteScheduler"] = typeof(FlowMatchEulerConfig),
        ["FlowMatchHeunDiscreteScheduler"] = typeof(FlowMatchHeunConfig),
    };

    /// <summary>The published class names that are known.</summary>
    public static IReadOnlyCollection<string> ClassNames => Classes.Keys;

    /// <summary>The configuration in a file's text; <c>_class_name</c> says which.</summary>
    /// <exception cref="ModelZooException">The class is not known or a value cannot be read (<see cref="ErrorCodes.ConfigInvalid"/>).</exception>
    public static ISchedulerConfig Parse(string text, string? where = null)
    {
        try
        {
            // Python writes non-finite numbers bare; JSON wants them quoted.
            using var document = JsonDocument.Parse(NonFinite().Replace(text, "$1\"$2\""));
            var name = document.RootElement.TryGetProperty("_class_name", out var value) ? value.GetString() ?? "" : "";
            if (!Classes.TryGetValue(name, out var type))
                throw new ModelZooException(ErrorCodes.ConfigInvalid, "No such scheduler.") { Where = where, Expected = string.Join(", ", Classes.Keys), Found = name };
            return (ISchedulerConfig)document.RootElement.Deserialize(type, Json)!;
        }
        catch (JsonException error)
        {
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "The scheduler's configuration cannot be read.", error) { Where = where, Found = error.Message };
        }
    }

    [GeneratedRegex(@"(:\s*)(-?Infinity|NaN)(?=\s*[,}])")]
    private static partial Regex NonFinite();
}
