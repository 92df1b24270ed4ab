using ModelZoo.Contracts;

namespace ModelZoo.Host.Terminal;

/// <summary>A text on standard output: as it comes where somebody looks, and only the whole where a program reads.</summary>
internal sealed class GrowingOutput(Terminal terminal)
{
    private string _written = "";

    /// <summary>Whether somebody looks.</summary>
    public bool IsShown { get; } = terminal.Output.Profile.Capabilities.Ansi;

    /// <summary>Writes what is new in a part; a part that does not go on from the one before is passed over.</summary>
    public void Show(Contracts.Media? part)
    {
        if (IsShown && part is Text { Value: var text }) Write(text);
    }

    /// <summary>Writes what is left. A result that does not go on from the parts stands below them.</summary>
    public void End(Contracts.Media result)
    {
        var text = result.Expect<Text>().Value;
        if (!text.StartsWith(_written, StringComparison.Ordinal))
        {
            terminal.Writer.WriteLine();
            _written = "";
        }

        Write(text);
        terminal.Writer.WriteLine();
    }

    private void Write(string text)
    {
        if (!text.StartsWith(_written, StringComparison.Ordinal)) return;
        terminal.Writer.Write(text.AsSpan(_written.Length));
        terminal.Writer.Flush();
        _written = text;
    }
}
