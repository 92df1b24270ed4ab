using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media.Motions;

/// <summary>A page that plays a skeleton: play, pause, scrub, orbit, by mouse, touch and keyboard, light and dark. Everything is in the page; it asks the network for nothing.</summary>
internal static class MotionViewer
{
    /// <summary>The style of figures; a page has it once.</summary>
    public static string Style { get; } = Resource("viewer/motion.css");

    /// <summary>The script that plays figures; a page has it once, after them.</summary>
    public static string Script { get; } = $"<script>\n{Resource("viewer/motion.js")}</script>";

    /// <summary>Writes a page with one motion.</summary>
    /// <exception cref="MediaException">The motion's joints cannot be told.</exception>
    public static void Write(Stream output, Motion motion, string title) => output.Write(Encoding.UTF8.GetBytes(Page(motion, title)));

    /// <summary>A motion as a figure.</summary>
    /// <param name="motion">The motion.</param>
    /// <param name="caption">What it shows.</param>
    /// <exception cref="MediaException">The motion's joints cannot be told.</exception>
    public static string Figure(Motion motion, string caption)
    {
        var joints = MotionJoints.Of(motion);
        if (joints.Frames.Length == 0) throw new MediaException(ErrorCodes.MediaMalformed, "The motion has no frames.");
        var parents = joints.Parents();
        var bones = JsonSerializer.Serialize(Enumerable.Range(0, joints.Count).Where(joint => parents[joint] >= 0).Select(joint => (int[])[parents[joint], joint]));
        var text = WebUtility.HtmlEncode(caption);
        return string.Create(CultureInfo.InvariantCulture, $"""
            <figure class="motion" data-joints="{joints.Count}" data-rate="{joints.FrameRate:0.####}" data-bones="{bones}" data-sides="{Sides(joints)}">
            <canvas tabindex="0" role="img" aria-label="{text}: {joints.Frames.Length} frames of {joints.Count} joints. Space plays, arrow keys turn, comma and full stop step, plus and minus zoom, f follows."></canvas>
            <div class="controls">
            <button type="button" data-do="play">Play</button>
            <input type="range" min="0" max="{joints.Frames.Length - 1}" value="0" step="1" aria-label="Frame">
            <output></output>
            <select aria-label="Speed"><option value="0.25">0.25 x</option><option value="0.5">0.5 x</option><option value="1" selected>1 x</option><option value="2">2 x</option></select>
            <button type="button" data-do="follow" aria-pressed="true" title="Keep the figure in the middle">Follow</button>
            </div>
            <figcaption>{text}</figcaption>
            <script type="text/plain">{Data(joints)}</script>
            </figure>
            """);
    }

    private static string Page(Motion motion, string title) => $$"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{{WebUtility.HtmlEncode(title)}}</title>
        <style>
        :root { color-scheme: light dark; } :root[data-theme="light"] { color-scheme: light; } :root[data-theme="dark"] { color-scheme: dark; }
        body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 960px; background: Canvas; color: CanvasText; }
        header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; } h1 { font-size: 1.2rem; overflow-wrap: anywhere; } header button { font: inherit; background: transparent; color: inherit; border: 1px solid #8888; border-radius: 5px; padding: .15rem .6rem; cursor: pointer; }
        body .motion { max-width: none; } .keys { font-size: 14px; opacity: .75; } kbd { border: 1px solid #8888; border-radius: 4px; padding: 0 .3em; font: inherit; }
        {{Style}}</style>
        </head>
        <body>
        <header><h1>{{WebUtility.HtmlEncode(title)}}</h1><button type="button" data-do="theme">Light or dark</button></header>
        {{Figure(motion, Describe(motion))}}
        <p class="keys">With the picture in focus: <kbd>space</kbd> plays and pauses, <kbd>,</kbd> and <kbd>.</kbd> step, arrow keys turn, <kbd>+</kbd> and <kbd>-</kbd> zoom, <kbd>f</kbd> follows, <kbd>0</kbd> starts over. Left is blue, right is red.</p>
        {{Script}}
        </body>
        </html>

        """;

    private static string Describe(Motion motion) => string.Create(CultureInfo.InvariantCulture, $"{motion.Features.Shape[0]} frames at {motion.FrameRate:0.##} a second, {motion.Features.Shape[0] / motion.FrameRate:0.0} s, {motion.Representation}");

    // A letter a joint: left, right or middle.
    private static string Sides(MotionJoints joints) => joints.Count switch
    {
        22 => "mlrmlrmlrmlrmlrmlrlrlr",
        21 => "mmmmmlllrrrrrrrrlllll",
        _ => new('m', joints.Count),
    };

    // Millimetres as 16-bit integers.
    private static string Data(MotionJoints joints)
    {
        var values = new short[joints.Frames.Length * joints.Count * 3];
        var place = 0;
        foreach (var joint in joints.Frames.SelectMany(pose => pose))
        {
            values[place++] = Millimetres(joint.X);
            values[place++] = Millimetres(joint.Y);
            values[place++] = Millimetres(joint.Z);
        }

        return Convert.ToBase64String(MemoryMarshal.AsBytes<short>(values));
    }

    private static short Millimetres(double metres) => double.IsNaN(metres) ? (short)0 : (short)Math.Clamp(Math.Round(metres * 1000), short.MinValue, short.MaxValue);

    private static string Resource(string name)
    {
        using var stream = typeof(MotionViewer).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"The host lacks its resource {name}.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
