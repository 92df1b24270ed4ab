using System.CommandLine;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Models;
using ModelZoo.Inference;

namespace ModelZoo.Host.Commands;

/// <summary>The arguments that every verb has: model, weights, device, precision, options.</summary>
internal sealed class ModelArguments
{
    public Argument<string> Model { get; } = new("MODEL") { Description = "family/architecture.tag, as `modelzoo list` shows it." };

    public Option<string?> Checkpoint { get; } = new("--checkpoint") { Description = "Folder of published files to use instead of the manifest's.", HelpName = "DIR" };

    public Option<string?> Device { get; } = new("--device") { Description = "cpu, webgpu[:n], cuda[:n], tensorrt[:n] or auto.", HelpName = "D" };

    public Option<string?> Precision { get; } = PrecisionOption();

    public Option<string[]> Options { get; } = new("--option") { Description = "An option of the model; `modelzoo info MODEL` lists them. Repeat for more.", HelpName = "k=v", DefaultValueFactory = _ => [] };

    public Option<bool> Json { get; } = new("--json") { Description = "Write the result as JSON." };

    /// <summary>In what linear maps keep their weights.</summary>
    public static Option<string?> PrecisionOption() => new("--precision") { Description = "What linear maps keep their weights in: float32, int8 or int4.", HelpName = "P" };

    /// <summary>The precision that was asked for; null when none was.</summary>
    /// <exception cref="OptionsException">There is none of that name.</exception>
    public static WeightPrecision? Parse(string? name) => name is null ? null
        : WeightPrecisions.TryParse(name, out var precision) ? precision
        : throw new OptionsException(ErrorCodes.OptionType, "That is not a precision of weights.") { Where = "--precision", Expected = "float32, int8 or int4", Found = name };

    /// <param name="command">The verb.</param>
    /// <param name="computes">False for a verb that computes nothing with published weights.</param>
    public void AddTo(Command command, bool computes = true)
    {
        command.Arguments.Add(Model);
        command.Options.Add(Checkpoint);
        command.Options.Add(Device);
        if (computes) command.Options.Add(Precision);
        command.Options.Add(Options);
        command.Options.Add(Json);
    }

    /// <summary>The model that was asked for.</summary>
    public ModelRequest Request(ParseResult parsed) => new(ModelId.Parse(parsed.GetRequiredValue(Model)), parsed.GetValue(Checkpoint) is { } folder ? Path.GetFullPath(folder) : null, parsed.GetValue(Device), Parse(parsed.GetValue(Precision))?.Name());

    /// <summary>The options that were given, as JSON text values.</summary>
    public JsonObject Given(ParseResult parsed)
    {
        var given = new JsonObject();
        foreach (var pair in parsed.GetValue(Options) ?? [])
        {
            var equals = pair.IndexOf('=');
            if (equals <= 0) throw new OptionsException(ErrorCodes.OptionType, "An option is written name=value.") { Where = "--option", Found = pair };
            given[pair[..equals]] = pair[(equals + 1)..];
        }

        return given;
    }
}
