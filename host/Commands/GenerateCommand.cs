using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using ModelZoo.Host.Media;
using ModelZoo.Host.Replay;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Terminal;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo generate</c>.</summary>
internal static class GenerateCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var prompt = new Option<string?>("--prompt") { Description = "Words, or the name or number of a class.", HelpName = "TEXT" };
        var input = new Option<string[]>("--in") { Description = "A picture to edit, sound to continue, a history to extend. Repeat for more.", HelpName = "FILE", DefaultValueFactory = _ => [] };
        var seed = new Option<ulong>("--seed") { Description = "The same seed gives the same result.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var output = new Option<string>("--out") { Description = "Where the result goes; the extension says how.", HelpName = "FILE", Required = true };
        var strip = new Option<string?>("--strip") { Description = "Where the partial pictures go, side by side and ending with the result.", HelpName = "FILE" };
        var model = new ModelArguments();
        var command = new ZooCommand("generate", "Prompt to media.",
            "modelzoo generate diffusion-transformers/dit.digits --prompt 7 --seed 1 --out seven.png", "modelzoo generate motion/mmm.synthetic --prompt \"a man waves with the right hand\" --out wave.npy") { prompt, input, seed, output, strip };
        model.AddTo(command);
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var (files, target) = (parsed.GetValue(input) ?? [], parsed.GetRequiredValue(output));
            var media = new List<Contracts.Media>();
            foreach (var file in files) media.Add(await services.GetRequiredService<MediaFiles>().ReadAsync(file, cancel).ConfigureAwait(false));
            var given = model.Given(parsed);
            using var progress = new ProgressLine(terminal.Error, "generating");
            var shown = new PictureStrip();
            var result = await services.GetRequiredService<ModelVerbs>().GenerateAsync(model.Request(parsed), new(parsed.GetValue(prompt), media), given, parsed.GetValue(seed),
                step =>
                {
                    progress.Report(step.Step, step.Steps > 0 ? step.Steps : null);
                    if (parsed.GetValue(strip) is not null) shown.Add(step.Value);
                }, cancel).ConfigureAwait(false);
            await OutputFile.WriteAsync(target, stream => MediaFiles.Write(stream, result.Value, target), cancel).ConfigureAwait(false);
            if (parsed.GetValue(strip) is { } pictures) await OutputFile.WriteAsync(pictures, stream => MediaFiles.Write(stream, shown.ToImage(), pictures), cancel).ConfigureAwait(false);
            var record = Recording.Make("generate", model.Request(parsed), result, given, files, target, parsed.GetValue(seed), parsed.GetValue(prompt));
            await OutputFile.WriteAsync(target + ".run.json", record.ToText(), cancel).ConfigureAwait(false);
            if (parsed.GetValue(model.Json)) terminal.WriteJson(new JsonObject { ["run"] = record.ToJson() });
            else terminal.Writer.WriteLine($"{target}: {TokenizeCommand.Describe(result.Value)}, {result.Elapsed.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture)} s, seed {parsed.GetValue(seed)}");
            return ExitCodes.Ok;
        });
    }
}
