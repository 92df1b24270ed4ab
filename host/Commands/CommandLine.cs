using System.CommandLine;
using ModelZoo.Host.Hosting;

namespace ModelZoo.Host.Commands;

/// <summary>The command line: <c>modelzoo COMMAND ...</c>.</summary>
internal static class CommandLine
{
    /// <summary>The manifest to read.</summary>
    public static Option<string?> Manifest { get; } = new("--manifest") { Description = "The manifest to use instead of plugins.json here or above.", HelpName = "FILE", Recursive = true };

    /// <summary>Plugins besides those of the manifest.</summary>
    public static Option<string[]> Plugin { get; } = new("--plugin") { Description = "A plugin (folder, DLL, .nupkg or .zip) besides those of the manifest.", HelpName = "PATH", Recursive = true, DefaultValueFactory = _ => [] };

    /// <summary>Whether to log.</summary>
    public static Option<bool> Verbose { get; } = new("--verbose") { Description = "Write the host's log to standard error.", Recursive = true };

    /// <summary>Runs a command line and gives its exit code.</summary>
    public static async Task<int> RunAsync(string[] arguments, TextWriter output, TextWriter error, CancellationToken cancel = default)
    {
        var terminal = new Terminal.Terminal(output, error);
        var result = Create(terminal).Parse(arguments.Length == 0 ? ["--help"] : arguments);
        if (result.Action is not { ClearsParseErrors: true } && UsageErrors.Write(terminal, result)) return ExitCodes.Usage;
        return await result.InvokeAsync(new() { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(40) }, cancel).ConfigureAwait(false);
    }

    /// <summary>All commands.</summary>
    public static RootCommand Create(Terminal.Terminal terminal)
    {
        var root = new RootCommand("Runs research-paper models from the checkpoints that their authors publish.\n\n"
            + "Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 not available (model, file, device), 130 cancelled. Results go to standard output, progress to standard error.");
        root.Options.Add(Manifest);
        root.Options.Add(Plugin);
        root.Options.Add(Verbose);
        root.Subcommands.Add(DemoCommand.Create(terminal));
        root.Subcommands.Add(ListCommand.Create(terminal));
        root.Subcommands.Add(InfoCommand.Create(terminal));
        root.Subcommands.Add(TokenizeCommand.Create(terminal));
        root.Subcommands.Add(DetokenizeCommand.Create(terminal));
        root.Subcommands.Add(GenerateCommand.Create(terminal));
        root.Subcommands.Add(EvaluateCommand.Create(terminal));
        root.Subcommands.Add(MergeCommand.Create(terminal));
        root.Subcommands.Add(TrainCommand.Create(terminal));
        root.Subcommands.Add(VerifyCommand.Create(terminal));
        root.Subcommands.Add(ServeCommand.Create(terminal));
        root.Subcommands.Add(ReplayCommand.Create(terminal));
        root.Subcommands.Add(PluginsCommand.Create(terminal));
        root.Subcommands.Add(DoctorCommand.Create(terminal));
        ZooCommand.ShowExamples(root);
        return root;
    }

    /// <summary>The host's options on the command line.</summary>
    public static ZooOptions HostOptions(ParseResult parsed) => new() { Manifest = parsed.GetValue(Manifest), Plugins = parsed.GetValue(Plugin) ?? [], Verbose = parsed.GetValue(Verbose) };
}
