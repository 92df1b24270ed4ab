using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Commands;

/// <summary>What is wrong with a command line, in a line each, and where help is; not the whole help, which would push the message off the screen.</summary>
internal static partial class UsageErrors
{
    /// <summary>Writes what is wrong; false when nothing is.</summary>
    public static bool Write(Terminal.Terminal terminal, ParseResult parsed)
    {
        var messages = Messages(parsed).ToList();
        foreach (var message in messages) terminal.WriteError("usage", message);
        if (messages.Count > 0) terminal.WriteHint($"`{Path(parsed)} --help` shows what there is.");
        return messages.Count > 0;
    }

    private static IEnumerable<string> Messages(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        // An argument that takes many words takes mistyped options, too.
        var strangers = parsed.UnmatchedTokens.Concat(parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens).Select(token => token.Value).Where(IsOption)).ToList();
        // What stands behind an unknown option is its value: no error of its own.
        var named = strangers.Where((token, i) => IsOption(token) || i == 0 || !IsOption(strangers[i - 1])).ToList();
        foreach (var token in named)
        {
            var (kind, known) = IsOption(token) ? ("option", Options(parsed)) : command.Subcommands.Count > 0 ? ("command", command.Subcommands.Select(sub => sub.Name)) : ("further argument", []);
            yield return $"`{Path(parsed)}` has no {kind} '{token}'.{(Names.Nearest(token, known) is { } nearest ? $" Did you mean '{nearest}'?" : "")}";
        }

        // A word that is no command leaves the command out, too: said once.
        if (named.Count > 0 && command.Subcommands.Count > 0) yield break;
        foreach (var error in parsed.Errors.Select(error => error.Message).Where(message => !strangers.Any(token => message.Contains($"'{token}'", StringComparison.Ordinal))))
            yield return WrongType().Match(error) is { Success: true } wrong ? $"{wrong.Groups[2].Value} takes {(wrong.Groups[3].Value switch { nameof(Boolean) => "true or false", nameof(UInt64) => "a number from 0", _ => "a number" })}, not '{wrong.Groups[1].Value}'." : error;
    }

    private static IEnumerable<string> Options(ParseResult parsed) => parsed.CommandResult.Command.Options.Concat(parsed.RootCommandResult.Command.Options.Where(option => option.Recursive)).Select(option => option.Name);

    private static bool IsOption(string token) => token.Length > 1 && token[0] == '-' && !char.IsAsciiDigit(token[1]);

    private static string Path(ParseResult parsed)
    {
        var names = new List<string>();
        for (Symbol? symbol = parsed.CommandResult.Command; symbol is Command command and not RootCommand; symbol = symbol.Parents.FirstOrDefault()) names.Insert(0, command.Name);
        return string.Join(' ', names.Prepend("modelzoo"));
    }

    [GeneratedRegex(@"^Cannot parse argument '(.*)' for option '(.*)' as expected type '(?:System\.)?(.*)'\.$")]
    private static partial Regex WrongType();
}
