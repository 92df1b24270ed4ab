using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;
using ModelZoo.Host.Replay;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Terminal;
using ModelZoo.Host.TokenViews;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo tokenize</c>.</summary>
internal static class TokenizeCommand
{
    private const string Pipe = "-";

    public static Command Create(Terminal.Terminal terminal)
    {
        var input = new Option<string[]>("--in") { Description = "The file: .wav, .png, .npy, .obj, .json, .safetensors, what an installed ffmpeg reads, or text of any other name; - for text from standard input. Repeat for more.", HelpName = "FILE", DefaultValueFactory = _ => [] };
        var text = new Option<string[]>("--text") { Description = "Text, instead of a file. Repeat for more.", HelpName = "TEXT", DefaultValueFactory = _ => [] };
        var output = new Option<string?>("--out") { Description = "Where the tokens go: .json or .safetensors; .html makes a page of a text and its tokens. Without it they are written to standard output as JSON. With several inputs a folder, for a file each.", HelpName = "FILE" };
        var show = new Option<bool>("--show") { Description = "Print a text with its tokens coloured, instead of ids." };
        var with = new Option<string?>("--with") { Description = "A second model: the page (--out FILE.html) shows both side by side.", HelpName = "MODEL" };
        var withCheckpoint = new Option<string?>("--with-checkpoint") { Description = "Folder of the second model's published files.", HelpName = "DIR" };
        var model = new ModelArguments();
        var command = new ZooCommand("tokenize", "Media to tokens.",
            "modelzoo tokenize speech/encodec.8khz --in hello.wav --out hello.json", "modelzoo tokenize speech/encodec.8khz --in hello.wav --option bandwidth=1.6 --out hello.safetensors",
            "modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --text \"Hello\"",
            "modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./bert --text \"A question?\" --option pair=\"An answer.\" --option add_special_tokens=true --show",
            "modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./bert --in notes.txt --option max_length=128 --option stride=32 --option pad_length=128",
            "modelzoo tokenize text-tokenizers/tiktoken --checkpoint ./cl100k --text \"Hi<|endoftext|>\" --option special_text=refuse --option allowed_special=\"<|endoftext|>\"",
            "modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --in one.txt --in two.txt --out tokens",
            "modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --in notes.txt --show",
            "git log -1 | modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --in - --show",
            "modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --in notes.txt --with text-tokenizers/tiktoken --with-checkpoint ./cl100k --out page.html") { input, text, output, show, with, withCheckpoint };
        model.AddTo(command);
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var sources = await ReadAsync(parsed.GetValue(input) ?? [], parsed.GetValue(text) ?? [], services.GetRequiredService<MediaFiles>(), cancel).ConfigureAwait(false);
            var (target, second) = (parsed.GetValue(output), parsed.GetValue(with));
            var isPage = target is not null && Path.GetExtension(target).Equals(".html", StringComparison.OrdinalIgnoreCase);
            if (second is not null && !isPage) throw new OptionsException(ErrorCodes.OptionType, "Two models are shown on a page.") { Where = "--out", Expected = "a file that ends in .html" };
            if (sources.Count > 1 && target is not null && Path.HasExtension(target) && !Directory.Exists(target))
                throw new OptionsException(ErrorCodes.OptionType, "Several inputs have a file of tokens each.") { Where = "--out", Expected = "a folder", Found = target };
            var (verbs, request, given) = (services.GetRequiredService<ModelVerbs>(), model.Request(parsed), model.Given(parsed));
            if (isPage)
            {
                var (name, media) = (sources[0].Path is { } file ? Path.GetFileName(file) : "a text", sources[0].Media);
                var columns = new List<TokenColumn> { Column(media, await verbs.TokenizeAsync(request, media, given, cancel).ConfigureAwait(false)) };
                if (second is not null)
                {
                    var other = request with { Id = ModelId.Parse(second), Checkpoint = parsed.GetValue(withCheckpoint) is { } folder ? Path.GetFullPath(folder) : null };
                    columns.Add(Column(media, await verbs.TokenizeAsync(other, media, [], cancel).ConfigureAwait(false)));
                }

                await OutputFile.WriteAsync(target!, TokenPage.Render(columns, name), cancel).ConfigureAwait(false);
                foreach (var column in columns) terminal.Writer.WriteLine($"{target}: {column.Name}, {column.Pieces.Count(piece => piece.Id is not null)} tokens");
                return ExitCodes.Ok;
            }

            var answers = new JsonArray();
            foreach (var source in sources)
            {
                var result = await verbs.TokenizeAsync(request, source.Media, given, cancel).ConfigureAwait(false);
                var own = target is null || sources.Count == 1 ? target : Path.Combine(target, source.Name + MediaFiles.Extension(Modality.Tokens));
                if (parsed.GetValue(show))
                {
                    if (sources.Count > 1) terminal.Writer.WriteLine($"{source.Name}:");
                    TokenPrinter.Write(terminal, Column(source.Media, result).Pieces);
                }

                if (own is not null) await OutputFile.WriteAsync(own, stream => MediaFiles.Write(stream, result.Value, own), cancel).ConfigureAwait(false);
                var record = Recording.Make("tokenize", request, result, given, source.Path is null ? [] : [source.Path], own, 0, source.Words);
                if (own is not null) await OutputFile.WriteAsync(own + ".run.json", record.ToText(), cancel).ConfigureAwait(false);
                var summary = Summary(source.Media, result);
                if (parsed.GetValue(model.Json))
                {
                    var json = new JsonObject { ["summary"] = new JsonObject(summary.Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Name, pair.Value))), ["run"] = record.ToJson() };
                    if (own is null) json["tokens"] = TokensFile.ToJson(result.Value);
                    answers.Add((JsonNode)json);
                    continue;
                }

                if (own is null && !parsed.GetValue(show)) terminal.WriteJsonLine(TokensFile.ToJson(result.Value));
                var line = string.Join(", ", summary.Select(pair => pair.Shown));
                if (own is null) terminal.Error.WriteLine(sources.Count > 1 ? $"{source.Name}: {line}" : line);
                else terminal.Writer.WriteLine($"{own}: {line}");
            }

            if (parsed.GetValue(model.Json)) terminal.WriteJson(answers.Count == 1 ? answers[0]! : answers);
            return ExitCodes.Ok;
        });
    }

    // Files first, then texts; each has a name of its own.
    private static async Task<List<Source>> ReadAsync(string[] paths, string[] texts, MediaFiles files, CancellationToken cancel)
    {
        if (paths.Length == 0 == (texts.Length == 0) || paths.Count(path => path == Pipe) > 1)
            throw new OptionsException(ErrorCodes.OptionType, "Give the input once.") { Expected = "--in FILE or --text TEXT, each as often as there are inputs" };
        var sources = new List<Source>();
        foreach (var path in paths)
        {
            if (path == Pipe)
            {
                var words = await PipedAsync(cancel).ConfigureAwait(false);
                sources.Add(new("standard-input", null, words, new Contracts.Text(words)));
                continue;
            }

            var name = Path.GetFileName(path);
            var number = sources.Count(source => source.Path is not null && Path.GetFileName(source.Path) == name);
            sources.Add(new(number == 0 ? name : $"{name}.{number + 1}", path, null, await files.ReadAsync(path, cancel).ConfigureAwait(false)));
        }

        sources.AddRange(texts.Select((words, i) => new Source($"text-{i + 1}", null, words, new Contracts.Text(words))));
        return sources;
    }

    private static async Task<string> PipedAsync(CancellationToken cancel)
    {
        using var bytes = new MemoryStream();
        var input = Console.OpenStandardInput();
        await using (input.ConfigureAwait(false)) await input.CopyToAsync(bytes, cancel).ConfigureAwait(false);
        return MediaFiles.ReadOther(bytes.ToArray(), ".txt", "standard input").Expect<Contracts.Text>().Value;
    }

    private static TokenColumn Column(Contracts.Media media, VerbResult<Tokens> result) => new(result.Model.ToString(), TextPieces.Of(media.Expect<Contracts.Text>().Value, result.Value));

    private static IReadOnlyList<(string Name, JsonNode Value, string Shown)> Summary(Contracts.Media media, VerbResult<Tokens> result)
    {
        var tokens = result.Value;
        var list = new List<(string, JsonNode, string)>();
        if (media is Audio audio) list.Add(("duration_seconds", audio.Seconds, Number(audio.Seconds, "0.00") + " s"));
        else list.Add(("source", MediaWords.Describe(media), MediaWords.Describe(media)));
        list.Add(("tokens", tokens.Ids.Length, MediaWords.Amount(tokens)));
        if (tokens.FrameRate is { } rate)
        {
            var codebooks = tokens.Space.Layout == TokenLayout.Frames ? (int)tokens.Ids.Shape[0] : 1;
            var sizes = tokens.Space.VocabularySizes;
            var bits = Enumerable.Range(0, codebooks).Sum(i => Math.Log2(sizes.Count == 1 ? sizes[0] : sizes[Math.Min(i, sizes.Count - 1)]));
            list.Add(("kbit_per_second", rate * bits / 1000, Number(rate * bits / 1000, "0.###") + " kbit/s"));
        }

        if (tokens.Ids.Length > 0 && tokens.Extras.Count > 0) list.Add(("beside", new JsonArray([.. tokens.Extras.Keys.Select(name => (JsonNode)name)]), "beside them " + string.Join(" ", tokens.Extras.Select(extra => $"{extra.Key} ({MediaWords.Extents(extra.Value)})"))));
        list.Add(("elapsed_seconds", result.Elapsed.TotalSeconds, Number(result.Elapsed.TotalSeconds, "0.000") + " s of work"));
        if (media is Audio sound) list.Add(("real_time_factor", sound.Seconds / result.Elapsed.TotalSeconds, Number(sound.Seconds / result.Elapsed.TotalSeconds, "0.0") + "x real time"));
        return list;
    }

    // One input: a file, or words.
    private sealed record Source(string Name, string? Path, string? Words, Contracts.Media Media);

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
