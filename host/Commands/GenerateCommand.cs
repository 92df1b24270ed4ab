using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;
using ModelZoo.Host.Replay;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Shards;
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
        var prompts = new Option<string?>("--prompts") { Description = "Many prompts, one a line, or {\"prompt\": .., \"in\": [..], \"seed\": n} a line of a .jsonl file; --out is a folder then, and each prompt has the next seed.", HelpName = "FILE" };
        var shard = new Option<string?>("--shard") { Description = "One of n equal shares of --prompts only; `modelzoo merge` makes the manifest of all.", HelpName = "i/n" };
        var output = new Option<string?>("--out") { Description = "Where the result goes; the extension says how. A text is written to standard output without it.", HelpName = "FILE" };
        var strip = new Option<string?>("--strip") { Description = "Where the partial pictures go, side by side and ending with the result.", HelpName = "FILE" };
        var model = new ModelArguments();
        var command = new ZooCommand("generate", "Prompt to media.",
            "modelzoo generate diffusion-transformers/dit.digits --prompt 7 --seed 1 --out seven.png", "modelzoo generate motion/mmm.synthetic --prompt \"a man waves with the right hand\" --out wave.npy",
            "modelzoo generate diffusion-transformers/dit.digits --prompts digits.txt --out pictures", "modelzoo generate diffusion-transformers/dit.digits --prompts digits.txt --shard 1/4 --out pictures",
            "modelzoo generate text-tokenizers/charbench --in questions.jsonl --out answers.txt",
            "modelzoo generate language-models/blt --checkpoint ./blt-1b-hf --prompt \"Bytes are\"") { prompt, input, prompts, shard, seed, output, strip };
        model.AddTo(command);
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            if (parsed.GetValue(prompts) is { } list)
            {
                if (parsed.GetValue(prompt) is not null || parsed.GetValue(input) is { Length: > 0 } || parsed.GetValue(strip) is not null)
                    throw new OptionsException(ErrorCodes.OptionUnknown, "A list of prompts holds all that is generated.") { Where = "--prompts", Remedy = "Leave out --prompt, --in and --strip." };
                return await ManyAsync(services, new(model.Request(parsed), list, parsed.GetValue(output) ?? throw new OptionsException(ErrorCodes.OptionType, "Many results go into a folder.") { Where = "--out", Expected = "DIR" }, parsed.GetValue(seed), model.Given(parsed))).ConfigureAwait(false);
            }

            if (parsed.GetValue(shard) is not null) throw new OptionsException(ErrorCodes.OptionUnknown, "One prompt has no shares.") { Where = "--shard", Remedy = "Give many with --prompts." };
            var (files, target) = (parsed.GetValue(input) ?? [], parsed.GetValue(output));
            var media = new List<Contracts.Media>();
            foreach (var file in files) media.Add(await services.GetRequiredService<MediaFiles>().ReadAsync(file, cancel).ConfigureAwait(false));
            var given = model.Given(parsed);
            await services.GetRequiredService<ModelVerbs>().ExpectGeneratedAsync(model.Request(parsed), target, cancel).ConfigureAwait(false);
            if (parsed.GetValue(strip) is { } wanted && !MediaFiles.Writes(Modality.Image, wanted))
                throw new MediaException(ErrorCodes.MediaUnsupported, "A strip is a picture.") { Where = wanted, Expected = MediaFiles.Extension(Modality.Image) };
            var growing = target is null && !parsed.GetValue(model.Json) ? new GrowingOutput(terminal) : null;
            using var progress = growing is { IsShown: true } ? null : new ProgressLine(terminal.Error, "generating");
            var shown = new PictureStrip();
            var result = await services.GetRequiredService<ModelVerbs>().GenerateAsync(model.Request(parsed), new(parsed.GetValue(prompt), media), given, parsed.GetValue(seed),
                step =>
                {
                    progress?.Report(step.Step, step.Steps > 0 ? step.Steps : null);
                    growing?.Show(step.Value);
                    if (parsed.GetValue(strip) is not null) shown.Add(step.Value);
                }, cancel).ConfigureAwait(false);
            if (target is not null) await OutputFile.WriteAsync(target, stream => MediaFiles.Write(stream, result.Value, target), cancel).ConfigureAwait(false);
            if (parsed.GetValue(strip) is { } pictures) await OutputFile.WriteAsync(pictures, stream => MediaFiles.Write(stream, shown.ToImage(), pictures), cancel).ConfigureAwait(false);
            var record = Recording.Make("generate", model.Request(parsed), result, given, files, target, parsed.GetValue(seed), parsed.GetValue(prompt));
            if (target is not null) await OutputFile.WriteAsync(target + ".run.json", record.ToText(), cancel).ConfigureAwait(false);
            growing?.End(result.Value);
            if (parsed.GetValue(model.Json))
            {
                var json = new JsonObject { ["run"] = record.ToJson() };
                if (target is null) json["text"] = result.Value.Expect<Contracts.Text>().Value;
                terminal.WriteJson(json);
            }
            else if (target is not null) terminal.Writer.WriteLine($"{target}: {MediaWords.Describe(result.Value)}, {result.Elapsed.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture)} s, seed {parsed.GetValue(seed)}");
            return ExitCodes.Ok;

            async Task<int> ManyAsync(IServiceProvider services, GenerationRequest request)
            {
                var (generations, file) = (services.GetRequiredService<GenerationShards>(), Path.Combine(request.Folder, "manifest.json"));
                using var progress = new ProgressLine(terminal.Error, "generating");
                if (parsed.GetValue(shard) is { } share) file = await generations.GenerateAsync(request, Shard.Parse(share), (done, of) => progress.Report(done, of), cancel).ConfigureAwait(false);
                else await OutputFile.WriteAsync(file, (await generations.GenerateAsync(request, (done, of) => progress.Report(done, of), cancel).ConfigureAwait(false)).ToJsonString(RunRecord.Json) + "\n", cancel).ConfigureAwait(false);
                if (parsed.GetValue(model.Json)) terminal.WriteJson(new JsonObject { ["file"] = file });
                else terminal.Writer.WriteLine($"{file}: {request.Model.Id}");
                return ExitCodes.Ok;
            }
        });
    }
}
