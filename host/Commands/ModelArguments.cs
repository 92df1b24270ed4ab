using System.CommandLine;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Commands;

/// <summary>The arguments that every verb has: model, weights, device, options.</summary>
internal sealed class ModelArguments
{
    public Argument<string> Model { get; } = new("MODEL") { Description = "family/architecture.tag, as `modelzoo list` shows it." };

    public Option<string?> Checkpoint { get; } = new("--checkpoint") { Description = "Folder of published files to use instead of the manifest's.", HelpName = "DIR" };

    public Option<string?> Device { get; } = new("--device") { Description = "cpu, webgpu[:n], cuda[:n], tensorrt[:n] or auto.", HelpName = "D" };

    public Option<string[]> Options { get; } = new("--option") { Description = "An option of the model; `modelzoo info MODEL` lists them. Repeat for more.", HelpName = "k=v", DefaultValueFactory = _ => [] };

    public Option<bool> Json { get; } = new("--json") { Description = "Write the result as JSON." };

    public void AddTo(Command command)
    {
        command.Arguments.Add(Model);
        command.Options.Add(Checkpoint);
        command.Options.Add(Device);
        command.Options.Add(Options);
        command.Options.Add(Json);
    }

    /// <summary>The model that was asked for.</summary>
    public ModelRequest Request(ParseResult parsed) => new(ModelId.Parse(parsed.GetRequiredValue(Model)), parsed.GetValue(Checkpoint) is { } folder ? Path.GetFullPath(folder) : null, parsed.GetValue(Device));

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
