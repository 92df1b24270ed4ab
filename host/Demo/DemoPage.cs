namespace ModelZoo.Host.Demo;

/// <summary>One page with everything in it: it can be mailed.</summary>
internal static class DemoPage
{
    private const string Style = """
        :root { color-scheme: light dark; --line: #8884; --ink: #2563eb; }
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
        h1 { margin-bottom: 0; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); } .note { opacity: .75; font-size: 14px; }
        table { border-collapse: collapse; width: 100%; margin: 1rem 0; } th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: middle; }
        svg { display: block; width: 100%; height: 48px; } svg path { stroke: var(--ink); stroke-width: 1; } audio { display: block; width: 100%; min-width: 220px; height: 32px; }
        .tokens { width: 100%; margin-bottom: .3rem; } .pictures img { margin: 4px; image-rendering: pixelated; border: 1px solid var(--line); } .pictures figure { display: inline-block; margin: 6px 10px; text-align: center; } figcaption { font-size: 13px; opacity: .75; } .failed { color: #b91c1c; }
        """;

    /// <summary>The page.</summary>
    public static string Render(IEnumerable<DemoSection> sections, string footer) => $"""
        <!doctype html>
        <html lang="en">
        <head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>ModelZoo demo</title><style>{Style}</style></head>
        <body>
        <h1>ModelZoo</h1>
        <p class="note">Research-paper models running in .NET from checkpoints in their authors' published layout. Everything on this page was computed by the command that wrote it.</p>
        {string.Join('\n', sections.Select(section => $"<section><h2>{Html.Text(section.Title)}</h2>\n{section.Html}</section>"))}
        <p class="note">{Html.Text(footer)}</p>
        </body>
        </html>

        """;
}
