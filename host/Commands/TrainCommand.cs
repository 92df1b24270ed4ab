using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Terminal;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo train</c>: what a model learns without a graphics card, such as a vocabulary.</summary>
internal static class TrainCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var data = new Option<string[]>("--data") { Description = "Files of the corpus, or folders of them (all files below count).", HelpName = "PATH", Required = true, AllowMultipleArgumentsPerToken = true };
        var output = new Option<string>("--out") { Description = "Folder for what is learned.", HelpName = "DIR", Required = true };
        var model = new ModelArguments();
        var command = new ZooCommand("train", "Learns a model's files from a corpus, such as a tokenizer from text; what is written opens with --checkpoint DIR.",
            "modelzoo train text-tokenizers/trainers --data corpus.txt --out my-tokenizer --option vocab_size=32000",
            "modelzoo train text-tokenizers/trainers --data books/ --out my-unigram --option kind=unigram --option vocab_size=8000",
            "modelzoo train text-tokenizers/trainers --data a.txt b.txt --out my-wordpiece --option kind=word-piece --option lowercase=true",
            "modelzoo train text-tokenizers/trainers --data corpus.txt --out my-superbpe --option kind=super-bpe --option vocab_size=20000 --option transition_size=16000") { data, output };
        model.AddTo(command, computes: false);
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var files = Files(parsed.GetRequiredValue(data));
            var folder = Path.GetFullPath(parsed.GetRequiredValue(output));
            using var place = new NewFolder(folder);
            var watch = Stopwatch.StartNew();
            TrainingResult result;
            using (var progress = new StageProgress(terminal))
                result = await services.GetRequiredService<ModelVerbs>().TrainAsync(model.Request(parsed), files, folder, model.Given(parsed), progress, cancel).ConfigureAwait(false);
            var seconds = watch.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
            if (parsed.GetValue(model.Json))
            {
                terminal.WriteJson(new JsonObject
                {
                    ["folder"] = folder, ["files"] = new JsonArray([.. result.Files.Select(file => (JsonNode)file)]), ["opens_with"] = result.Architecture.ToString(), ["seconds"] = watch.Elapsed.TotalSeconds,
                    ["figures"] = new JsonObject(result.Figures.Select(figure => KeyValuePair.Create<string, JsonNode?>(figure.Key, figure.Value))),
                });
            }
            else
            {
                terminal.Writer.WriteLine($"{Path.Combine(folder, result.Files.Count > 0 ? result.Files[0] : "")}: {string.Join(", ", result.Figures.Select(figure => $"{figure.Key} {figure.Value}"))}, {seconds} s");
                terminal.Error.WriteLine($"open it: --checkpoint {folder} with {result.Architecture}");
            }

            return ExitCodes.Ok;
        });
    }

    private static List<string> Files(IEnumerable<string> paths)
    {
        var files = new List<string>();
        foreach (var path in paths)
        {
            if (File.Exists(path)) files.Add(Path.GetFullPath(path));
            else if (Directory.Exists(path)) files.AddRange(Directory.EnumerateFiles(Path.GetFullPath(path), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));
            else throw new ModelZooException(ErrorCodes.DatasetInvalid, "There is no such file or folder.") { Where = path };
        }

        return files.Count > 0 ? files : throw new ModelZooException(ErrorCodes.DatasetInvalid, "The corpus has no files.");
    }

    // A line for the stage that is going on.
    private sealed class StageProgress(Terminal.Terminal terminal) : IProgress<TrainingProgress>, IDisposable
    {
        private readonly Lock _lock = new();
        private string _stage = "";
        private ProgressLine? _line;

        public void Report(TrainingProgress value)
        {
            lock (_lock)
            {
                if (_line is null || value.Stage != _stage)
                {
                    _line?.Dispose();
                    (_stage, _line) = (value.Stage, new(terminal.Error, value.Stage));
                }

                _line.Report(value.Done, value.Of);
            }
        }

        public void Dispose() => _line?.Dispose();
    }
}
