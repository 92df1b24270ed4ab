using System.CommandLine;
using ModelZoo.Contracts;
using ModelZoo.Host.Hosting;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary>What every command shares: the host around it, and errors as messages and exit codes.</summary>
internal static class ZooAction
{
    /// <summary>Sets what a command does with a started host.</summary>
    public static Command Runs(this Command command, Terminal.Terminal terminal, Func<ParseResult, IServiceProvider, CancellationToken, Task<int>> action) =>
        command.RunsBare(terminal, async (parsed, cancel) =>
        {
            using var host = await Zoo.StartAsync(CommandLine.HostOptions(parsed), cancel).ConfigureAwait(false);
            return await action(parsed, host.Services, cancel).ConfigureAwait(false);
        });

    /// <summary>Sets what a command does without a host.</summary>
    public static Command RunsBare(this Command command, Terminal.Terminal terminal, Func<ParseResult, CancellationToken, Task<int>> action)
    {
        command.SetAction(async (parsed, cancel) =>
        {
            try
            {
                return await action(parsed, cancel).ConfigureAwait(false);
            }
            catch (ModelZooException error)
            {
                terminal.WriteError(error.Code, error.Message);
                return ExitCodes.Of(error);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                terminal.Error.MarkupLine("[yellow]cancelled[/]");
                return ExitCodes.Cancelled;
            }
        });
        return command;
    }
}
