using System.Globalization;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Classes of a prompt, by number.</summary>
internal static class ClassPrompt
{
    /// <summary>One class for each picture: the numbers of the prompt, divided by commas, taking turns.</summary>
    /// <exception cref="MediaException">There is no such class.</exception>
    public static long[] Labels(Prompt prompt, int classes, int count)
    {
        long[] asked = [.. prompt.RequireText().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(text => One(text, classes))];
        if (asked.Length == 0) throw Unknown(prompt.Text!, classes);
        return [.. Enumerable.Range(0, Math.Max(count, asked.Length)).Select(i => asked[i % asked.Length])];
    }

    private static long One(string text, int classes) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < classes ? number : throw Unknown(text, classes);

    private static MediaException Unknown(string text, int classes) => new(ErrorCodes.MediaUnsupported, "The model has no such class.")
    { Where = "prompt", Expected = $"numbers from 0 to {classes - 1}, divided by commas", Found = $"'{text}'" };
}
