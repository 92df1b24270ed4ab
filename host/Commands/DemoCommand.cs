using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Demo;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Terminal;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo demo</c>: every demonstration, and one page of results.</summary>
internal static class DemoCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var output = new Option<string>("--out") { Description = "Folder for the page.", HelpName = "DIR", DefaultValueFactory = _ => "demo" };
        var json = new Option<bool>("--json") { Description = "One line of JSON a demonstration." };
        var command = new ZooCommand("demo", "Runs the demonstration models on their samples, ending with an HTML page of results.", "modelzoo demo", "modelzoo demo --out /tmp/demo") { output, json };
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var watch = Stopwatch.StartNew();
            var folder = Path.GetFullPath(parsed.GetRequiredValue(output));
            var root = services.GetRequiredService<HostManifest>().Files is [var first, ..] ? Path.GetDirectoryName(first)! : Environment.CurrentDirectory;
            var context = new DemoContext(root, folder, line => terminal.Error.MarkupLineInterpolated($"[grey]  {line}[/]"));
            var (sections, failed) = (new List<DemoSection>(), 0);
            foreach (var step in services.GetServices<IDemoStep>())
            {
                terminal.Error.MarkupLineInterpolated($"[bold]{step.Title}[/]");
                string? problem = null;
                try
                {
                    sections.Add(await step.RunAsync(context, cancel).ConfigureAwait(false));
                }
                catch (ModelZooException error)
                {
                    (problem, failed) = (error.Message, failed + 1);
                    sections.Add(new(step.Title, error.Message, $"<p class=\"failed\">{Html.Text(error.Message)}</p>"));
                }

                if (parsed.GetValue(json)) terminal.WriteJsonLine(new JsonObject { ["demonstration"] = step.Title, ["status"] = problem is null ? "ok" : "failed", ["summary"] = sections[^1].Summary });
                else terminal.Writer.WriteLine($"{(problem is null ? "ok    " : "failed")} {step.Title}: {sections[^1].Summary}");
            }

            var page = Path.Combine(folder, "index.html");
            await OutputFile.WriteAsync(page, DemoPage.Render(sections, $"ModelZoo {Zoo.Version}, {watch.Elapsed.TotalSeconds:0.0} s."), cancel).ConfigureAwait(false);
            if (parsed.GetValue(json)) terminal.WriteJsonLine(new JsonObject { ["page"] = page });
            else terminal.Writer.WriteLine($"page   {page}");
            return failed == 0 ? ExitCodes.Ok : ExitCodes.Failed;
        });
    }
}
