using System.Globalization;
using System.Text;
using ModelZoo.Host.Demo;

namespace ModelZoo.Host.TokenViews;

/// <summary>One tokenizer's view of a text.</summary>
/// <param name="Name">The model.</param>
/// <param name="Pieces">The text, cut.</param>
internal sealed record TokenColumn(string Name, IReadOnlyList<TextPiece> Pieces);

/// <summary>A page with everything in it: a text as one tokenizer cuts it, or as two do, side by side.</summary>
internal static class TokenPage
{
    private const string Style = """
        :root { color-scheme: light dark; --line: #8884; }
        body { font: 16px/1.5 system-ui, sans-serif; margin: 1.5rem; } h1 { font-size: 1.2rem; } h2 { font-size: 1rem; margin: 0 0 .5rem; }
        main { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1.5rem; } .note { opacity: .75; font-size: 14px; }
        table { border-collapse: collapse; margin-bottom: .8rem; font-size: 14px; } td { padding: .1rem .8rem .1rem 0; border-bottom: 1px solid var(--line); } td + td { text-align: right; font-variant-numeric: tabular-nums; }
        pre { font: 15px/1.9 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); padding: .8rem; margin: 0; }
        pre span { color: #111; border-radius: 3px; padding: .15em 0; } .c0 { background: #9ecbff; } .c1 { background: #a8d8a8; } .c2 { background: #f3d97a; } .c3 { background: #e2b6e8; } .c4 { background: #f7b79b; } .c5 { background: #a5e3e0; }
        .own { border-bottom: 2px solid #d00; } .hot { outline: 2px solid currentColor; } #tip { position: fixed; bottom: 0; left: 0; background: Canvas; border: 1px solid var(--line); padding: .3rem .8rem; font: 14px ui-monospace, monospace; }
        """;

    // Pointing at a token shows its id and marks what the other column has there.
    private const string Script = """
        const tip = document.getElementById('tip'), all = [...document.querySelectorAll('span[data-i]')];
        document.addEventListener('mouseover', e => {
          document.querySelectorAll('.hot').forEach(x => x.classList.remove('hot')); const t = e.target.closest('span[data-i]'); tip.hidden = !t; if (!t) return;
          const [s, n] = [+t.dataset.s, +t.dataset.e]; tip.textContent = `id ${t.dataset.i}, ${t.dataset.b} bytes, characters ${s} to ${n}`;
          all.forEach(x => { if (x === t || (+x.dataset.s < n && +x.dataset.e > s)) x.classList.add('hot'); });
        });
        """;

    /// <summary>The page.</summary>
    /// <param name="columns">One tokenizer, or two.</param>
    /// <param name="source">What the text is.</param>
    public static string Render(IReadOnlyList<TokenColumn> columns, string source)
    {
        var html = new StringBuilder($"""
            <!doctype html>
            <html lang="en">
            <head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Tokens of {Html.Text(source)}</title><style>{Style}</style></head>
            <body>
            <h1>Tokens of {Html.Text(source)}</h1>
            <p class="note">Each colour is one token; {(columns.Count > 1 ? "a red line is under tokens that the other side does not have. " : "")}Point at one for its id. A dot is a token without characters of its own, such as a later byte of one character.</p>
            <main>

            """);
        for (var i = 0; i < columns.Count; i++)
        {
            var others = columns.Count > 1 ? columns[1 - i].Pieces.Where(piece => piece.Id is not null).Select(piece => (piece.Start, piece.End)).ToHashSet() : null;
            html.Append(CultureInfo.InvariantCulture, $"<section><h2>{Html.Text(columns[i].Name)}</h2>{Figures(columns[i].Pieces)}<pre>");
            Append(html, columns[i].Pieces, others);
            html.Append("</pre></section>\n");
        }

        return html.Append(CultureInfo.InvariantCulture, $"</main><div id=\"tip\" hidden></div><script>{Script}</script></body>\n</html>\n").ToString();
    }

    private static void Append(StringBuilder html, IReadOnlyList<TextPiece> pieces, HashSet<(int, int)>? others)
    {
        var token = 0;
        foreach (var piece in pieces)
        {
            if (piece.Id is not { } id)
            {
                html.Append(Html.Text(TextPieces.Visible(piece.Text)));
                continue;
            }

            var own = others?.Contains((piece.Start, piece.End)) == false ? " own" : "";
            html.Append(CultureInfo.InvariantCulture, $"<span class=\"c{token++ % 6}{own}\" data-i=\"{id}\" data-s=\"{piece.Start}\" data-e=\"{piece.End}\" data-b=\"{Encoding.UTF8.GetByteCount(piece.Text)}\">")
                .Append(piece.Text.Length == 0 ? "\u00B7" : Html.Text(TextPieces.Visible(piece.Text))).Append("</span>");
        }
    }

    private static string Figures(IReadOnlyList<TextPiece> pieces)
    {
        var ids = pieces.Where(piece => piece.Id is not null).Select(piece => piece.Id!.Value).ToList();
        var bytes = pieces.Sum(piece => Encoding.UTF8.GetByteCount(piece.Text));
        var rows = new (string, string)[]
        {
            ("tokens", Html.Number(ids.Count, "#,0")), ("different tokens", Html.Number(ids.Distinct().Count(), "#,0")), ("bytes", Html.Number(bytes, "#,0")),
            ("bytes a token", ids.Count == 0 ? "-" : Html.Number((double)bytes / ids.Count, "0.00")),
        };
        return $"<table>{string.Concat(rows.Select(row => $"<tr><td>{row.Item1}</td><td>{row.Item2}</td></tr>"))}</table>";
    }
}
