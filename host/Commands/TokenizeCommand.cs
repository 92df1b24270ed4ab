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

/// <summary><c>modelzoo tokenize</c> and <c>modelzoo detokenize</c>.</summary>
internal static class TokenizeCommand
{
    private const string Pipe = "-";

    public static Command CreateTokenize(Terminal.Terminal terminal)
    {
        var input = new Option<string?>("--in") { Description = "The file: .wav, .png, .npy, .obj, .json, .safetensors, what an installed ffmpeg reads, or text of any other name; - for text from standard input.", HelpName = "FILE" };
        var text = new Option<string?>("--text") { Description = "Text, instead of a file.", HelpName = "TEXT" };
        var output = new Option<string?>("--out") { Description = "Where the tokens go: .json or .safetensors; .html makes a page of a text and its tokens. Without it they are written to standard output as JSON.", HelpName = "FILE" };
        var show = new Option<bool>("--show") { Description = "Print a text with its tokens coloured, instead of ids." };
        var with = new Option<string?>("--with") { Description = "A second model: the page (--out FILE.html) shows both side by side.", HelpName = "MODEL" };
        var withCheckpoint = new Option<string?>("--with-checkpoint") { Description = "Folder of the second model's published files.", HelpName = "DIR" };
        var model = new ModelArguments();
        var command = new ZooCommand("tokenize", "Media to tokens.",
            "modelzoo tokenize speech/encodec.8khz --in hello.wav --out hello.json", "modelzoo tokenize speech/encodec.8khz --in hello.wav --option bandwidth=1.6 --out hello.safetensors",
            "modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --text \"Hello\"",
            "modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --in notes.txt --show",
            "git log -1 | modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --in - --show",
            "modelzoo tokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --in notes.txt --with text-tokenizers/tiktoken --with-checkpoint ./cl100k --out page.html") { input, text, output, show, with, withCheckpoint };
        model.AddTo(command);
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var (path, words) = (parsed.GetValue(input), parsed.GetValue(text));
            if ((path is null) == (words is null)) throw new OptionsException(ErrorCodes.OptionType, "Give the input once.") { Expected = "--in FILE or --text TEXT" };
            if (path == Pipe) (path, words) = (null, await PipedAsync(cancel).ConfigureAwait(false));
            var media = path is null ? new Contracts.Text(words!) : await services.GetRequiredService<MediaFiles>().ReadAsync(path, cancel).ConfigureAwait(false);
            var given = model.Given(parsed);
            var result = await services.GetRequiredService<ModelVerbs>().TokenizeAsync(model.Request(parsed), media, given, cancel).ConfigureAwait(false);
            var target = parsed.GetValue(output);
            var isPage = target is not null && Path.GetExtension(target).Equals(".html", StringComparison.OrdinalIgnoreCase);
            if (parsed.GetValue(with) is not null && !isPage) throw new OptionsException(ErrorCodes.OptionType, "Two models are shown on a page.") { Where = "--out", Expected = "a file that ends in .html" };
            if (isPage)
            {
                var columns = new List<TokenColumn> { Column(media, result) };
                if (parsed.GetValue(with) is { } other)
                {
                    var request = model.Request(parsed) with { Id = ModelId.Parse(other), Checkpoint = parsed.GetValue(withCheckpoint) is { } folder ? Path.GetFullPath(folder) : null };
                    columns.Add(Column(media, await services.GetRequiredService<ModelVerbs>().TokenizeAsync(request, media, [], cancel).ConfigureAwait(false)));
                }

                await OutputFile.WriteAsync(target!, TokenPage.Render(columns, path is null ? "a text" : Path.GetFileName(path)), cancel).ConfigureAwait(false);
                foreach (var column in columns) terminal.Writer.WriteLine($"{target}: {column.Name}, {column.Pieces.Count(piece => piece.Id is not null)} tokens");
                return ExitCodes.Ok;
            }

            if (parsed.GetValue(show)) TokenPrinter.Write(terminal, Column(media, result).Pieces);
            if (target is not null) await OutputFile.WriteAsync(target, stream => MediaFiles.Write(stream, result.Value, target), cancel).ConfigureAwait(false);

            var summary = Summary(media, result);
            var record = Recording.Make("tokenize", model.Request(parsed), result, given, path is null ? [] : [path], target, 0, words);
            if (target is not null) await OutputFile.WriteAsync(target + ".run.json", record.ToText(), cancel).ConfigureAwait(false);
            if (parsed.GetValue(model.Json))
            {
                var json = new JsonObject { ["summary"] = new JsonObject(summary.Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Name, pair.Value))), ["run"] = record.ToJson() };
                if (target is null) json["tokens"] = TokensFile.ToJson(result.Value);
                terminal.WriteJson(json);
            }
            else
            {
                if (target is null && !parsed.GetValue(show)) terminal.WriteJsonLine(TokensFile.ToJson(result.Value));
                var line = string.Join(", ", summary.Select(pair => pair.Shown));
                if (target is null) terminal.Error.WriteLine(line);
                else terminal.Writer.WriteLine($"{target}: {line}");
            }

            return ExitCodes.Ok;
        });
    }

    public static Command CreateDetokenize(Terminal.Terminal terminal)
    {
        var input = new Option<string>("--in") { Description = "The tokens, as `modelzoo tokenize` wrote them.", HelpName = "TOKENS", Required = true };
        var output = new Option<string>("--out") { Description = "Where the media goes; the extension says how.", HelpName = "FILE", Required = true };
        var model = new ModelArguments();
        var command = new ZooCommand("detokenize", "Tokens to media.", "modelzoo detokenize speech/encodec.8khz --in hello.json --out again.wav",
            "modelzoo detokenize text-tokenizers/tokenizer-json --checkpoint ./gpt2 --in notes.json --out notes.txt") { input, output };
        model.AddTo(command);
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var (path, target) = (parsed.GetRequiredValue(input), parsed.GetRequiredValue(output));
            var tokens = (await services.GetRequiredService<MediaFiles>().ReadAsync(path, cancel).ConfigureAwait(false)).Expect<Tokens>();
            var given = model.Given(parsed);
            var result = await services.GetRequiredService<ModelVerbs>().DetokenizeAsync(model.Request(parsed), tokens, given, cancel).ConfigureAwait(false);
            await OutputFile.WriteAsync(target, stream => MediaFiles.Write(stream, result.Value, target), cancel).ConfigureAwait(false);
            var record = Recording.Make("detokenize", model.Request(parsed), result, given, [path], target, 0, null);
            await OutputFile.WriteAsync(target + ".run.json", record.ToText(), cancel).ConfigureAwait(false);
            if (parsed.GetValue(model.Json)) terminal.WriteJson(new JsonObject { ["run"] = record.ToJson() });
            else terminal.Writer.WriteLine($"{target}: {Describe(result.Value)}, {result.Elapsed.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture)} s");
            return ExitCodes.Ok;
        });
    }

    private static async Task<string> PipedAsync(CancellationToken cancel)
    {
        using var bytes = new MemoryStream();
        var input = Console.OpenStandardInput();
        await using (input.ConfigureAwait(false)) await input.CopyToAsync(bytes, cancel).ConfigureAwait(false);
        return MediaFiles.ReadOther(bytes.ToArray(), ".txt", "standard input").Expect<Contracts.Text>().Value;
    }

    private static TokenColumn Column(Contracts.Media media, VerbResult<Tokens> result) => new(result.Model.ToString(), TextPieces.Of(media.Expect<Contracts.Text>().Value, result.Value));

    /// <summary>Media in a few words.</summary>
    public static string Describe(Contracts.Media media) => media switch
    {
        Audio audio => FormattableString.Invariant($"{audio.Seconds:0.00} s of sound, {audio.SampleRate} Hz, {audio.Channels} channel{(audio.Channels == 1 ? "" : "s")}"),
        Contracts.Image image => $"picture of {image.Width} x {image.Height}",
        Video video => FormattableString.Invariant($"video of {video.Frames.Shape[0]} frames, {video.FrameRate:0.##} a second"),
        Motion { Representation: var rows } numbers when rows.StartsWith("features-", StringComparison.Ordinal) => $"{numbers.Features.Shape[0]} rows of {numbers.Features.Shape[1]} numbers",
        Motion motion => FormattableString.Invariant($"motion of {motion.Features.Shape[0]} frames ({motion.Representation})"),
        Mesh mesh => $"mesh of {mesh.Vertices.Shape[0]} vertices and {mesh.Faces?.Shape[0] ?? 0} faces",
        Items items => $"{items.Ids.Count} items",
        Contracts.Text text => $"{text.Value.Length} character{(text.Value.Length == 1 ? "" : "s")}",
        Tokens tokens => Amount(tokens),
        NamedTensors tensors => string.Join(", ", tensors.Values.Select(tensor => $"{tensor.Key} of {Extents(tensor.Value)}")),
        _ => media.Modality.ToString().ToLowerInvariant(),
    };

    // What has no ids has its numbers beside them.
    private static string Amount(Tokens tokens) => tokens.Ids.Length == 0 && tokens.Extras.Count > 0
        ? string.Join(", ", tokens.Extras.Select(extra => $"{extra.Key} of {Extents(extra.Value)}"))
        : $"{tokens.Ids.Length} token{(tokens.Ids.Length == 1 ? "" : "s")}{(tokens.Ids.Rank == 1 ? "" : $" ({Extents(tokens.Ids)})")}";

    private static string Extents(Tensor tensor) => string.Join(" x ", tensor.Shape.ToArray());

    private static IReadOnlyList<(string Name, JsonNode Value, string Shown)> Summary(Contracts.Media media, VerbResult<Tokens> result)
    {
        var tokens = result.Value;
        var list = new List<(string, JsonNode, string)>();
        if (media is Audio audio) list.Add(("duration_seconds", audio.Seconds, Number(audio.Seconds, "0.00") + " s"));
        else list.Add(("source", Describe(media), Describe(media)));
        list.Add(("tokens", tokens.Ids.Length, Amount(tokens)));
        if (tokens.FrameRate is { } rate)
        {
            var codebooks = tokens.Space.Layout == TokenLayout.Frames ? (int)tokens.Ids.Shape[0] : 1;
            var sizes = tokens.Space.VocabularySizes;
            var bits = Enumerable.Range(0, codebooks).Sum(i => Math.Log2(sizes.Count == 1 ? sizes[0] : sizes[Math.Min(i, sizes.Count - 1)]));
            list.Add(("kbit_per_second", rate * bits / 1000, Number(rate * bits / 1000, "0.###") + " kbit/s"));
        }

        list.Add(("elapsed_seconds", result.Elapsed.TotalSeconds, Number(result.Elapsed.TotalSeconds, "0.000") + " s of work"));
        if (media is Audio sound) list.Add(("real_time_factor", sound.Seconds / result.Elapsed.TotalSeconds, Number(sound.Seconds / result.Elapsed.TotalSeconds, "0.0") + "x real time"));
        return list;
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
