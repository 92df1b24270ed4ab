using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace ModelZoo.Host.Terminal;

/// <summary>Where commands write: results to standard output, progress and messages to standard error.</summary>
internal sealed class Terminal
{
    private static readonly JsonSerializerOptions JsonLine = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions JsonPretty = new(JsonLine) { WriteIndented = true };

    private readonly TextWriter _error;

    public Terminal(TextWriter output, TextWriter error)
    {
        Output = Console(output, System.Console.IsOutputRedirected || output != System.Console.Out);
        Error = Console(error, System.Console.IsErrorRedirected || error != System.Console.Error);
        Writer = output;
        _error = error;
    }

    /// <summary>Writes an error: one line, unless a person's terminal wraps it.</summary>
    public void WriteError(string code, string message)
    {
        if (Error.Profile.Capabilities.Ansi) Error.MarkupLineInterpolated($"[red]error[/] {code}: {message}");
        else _error.WriteLine($"error {code}: {message}");
    }

    /// <summary>Writes what may help after an error.</summary>
    public void WriteHint(string message) => _error.WriteLine(message);

    /// <summary>Standard output, for tables.</summary>
    public IAnsiConsole Output { get; }

    /// <summary>Standard error.</summary>
    public IAnsiConsole Error { get; }

    /// <summary>Standard output, for plain text.</summary>
    public TextWriter Writer { get; }

    /// <summary>Writes one line of JSON.</summary>
    public void WriteJsonLine(JsonNode json) => Writer.WriteLine(json.ToJsonString(JsonLine));

    /// <summary>Writes JSON for a reader.</summary>
    public void WriteJson(JsonNode json) => Writer.WriteLine(json.ToJsonString(JsonPretty));

    private static IAnsiConsole Console(TextWriter writer, bool redirected)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer), Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect, ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect });
        if (redirected) console.Profile.Width = 200;
        return console;
    }
}
