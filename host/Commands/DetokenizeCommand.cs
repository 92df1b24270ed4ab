using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;
using ModelZoo.Host.Replay;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Terminal;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo detokenize</c>.</summary>
internal static class DetokenizeCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var input = new Option<string?>("--in") { Description = "The tokens, as `modelzoo tokenize` wrote them, or a JSON list of ids.", HelpName = "TOKENS" };
        var ids = new Option<string?>("--ids") { Description = "Bare ids instead of a file, for models whose tokens are nothing else.", HelpName = "N,N" };
        var output = new Option<string?>("--out") { Description = "Where the media goes; the extension says how. A text is written to standard output without it.", HelpName = "FILE" };
        var model = new ModelArguments();
        var command = new ZooCommand("detokenize", "Tokens to media.", "modelzoo detokenize speech/encodec.8khz --in hello.json --out again.wav",
            "modelzoo detokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --in notes.json --out notes.txt",
            "modelzoo detokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --ids 15496,995",
            "modelzoo detokenize text-tokenizers/tokenizer-json --checkpoint ./bert --ids \"101 7592 102\" --option skip_special_tokens=true") { input, ids, output };
        model.AddTo(command);
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var (path, target, bare) = (parsed.GetValue(input), parsed.GetValue(output), parsed.GetValue(ids));
            if ((path is null) == (bare is null)) throw new OptionsException(ErrorCodes.OptionType, "Give the tokens once.") { Expected = "--in TOKENS or --ids N,N" };
            var tokens = bare is not null ? BareIds.Parse(bare) : await services.GetRequiredService<MediaFiles>().ReadAsync(path!, cancel).ConfigureAwait(false);
            var (given, verbs) = (model.Given(parsed), services.GetRequiredService<ModelVerbs>());
            await verbs.ExpectDetokenizedAsync(model.Request(parsed), target, cancel).ConfigureAwait(false);
            var result = await verbs.DetokenizeAsync(model.Request(parsed), tokens, given, cancel).ConfigureAwait(false);
            if (target is not null) await OutputFile.WriteAsync(target, stream => MediaFiles.Write(stream, result.Value, target), cancel).ConfigureAwait(false);
            var record = Recording.Make("detokenize", model.Request(parsed), result, given, path is null ? [] : [path], target, 0, bare);
            if (target is not null) await OutputFile.WriteAsync(target + ".run.json", record.ToText(), cancel).ConfigureAwait(false);
            if (parsed.GetValue(model.Json))
            {
                var json = new JsonObject { ["run"] = record.ToJson() };
                if (target is null) json["text"] = result.Value.Expect<Contracts.Text>().Value;
                terminal.WriteJson(json);
            }
            else if (target is null)
            {
                terminal.Writer.WriteLine(result.Value.Expect<Contracts.Text>().Value);
            }
            else
            {
                terminal.Writer.WriteLine($"{target}: {MediaWords.Describe(result.Value)}, {result.Elapsed.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture)} s");
            }

            return ExitCodes.Ok;
        });
    }
}
