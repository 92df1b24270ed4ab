using System.CommandLine;
using ModelZoo.Contracts;
using ModelZoo.Host.Models;
using ModelZoo.Inference;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo info</c>.</summary>
internal static class InfoCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var model = new Argument<string>("MODEL") { Description = "family/architecture, with or without tag." };
        var checkpoint = new Option<string?>("--checkpoint") { Description = "Folder of published files to use instead of the manifest's.", HelpName = "DIR" };
        var precision = ModelArguments.PrecisionOption();
        var json = new Option<bool>("--json") { Description = "Write JSON." };
        var command = new ZooCommand("info", "A model's card, verbs, options, files and parity state.", "modelzoo info speech/encodec.8khz", "modelzoo info speech/encodec --checkpoint ./encodec_24khz --json") { model, checkpoint, precision, json };
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var id = ModelId.Parse(parsed.GetRequiredValue(model));
            var request = new ModelRequest(id, parsed.GetValue(checkpoint) is { } folder ? Path.GetFullPath(folder) : null, Precision: ModelArguments.Parse(parsed.GetValue(precision))?.Name());
            var info = await services.GetRequiredService<ModelDirectory>().ShowAsync(request, cancel).ConfigureAwait(false);
            if (parsed.GetValue(json)) terminal.WriteJson(info);
            else foreach (var line in InfoPage.Lines(info, terminal.Output.Profile.Width)) terminal.Writer.WriteLine(line);
            return ExitCodes.Ok;
        });
    }
}
