using System.Text;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Demo;

/// <summary>An image tokenizer on pictures: each picture, and what some numbers of its tokens give back.</summary>
/// <param name="verbs">Runs the model.</param>
/// <param name="media">Reads the pictures.</param>
/// <param name="model">The model.</param>
/// <param name="pictures">Folder of pictures, below the manifest's folder.</param>
internal sealed class PictureDemo(ModelVerbs verbs, MediaFiles media, string model, string pictures) : IDemoStep
{
    private const int Shown = 12, Width = 96;

    public string Title => $"Pictures as a few tokens: {model}";

    public async Task<DemoSection> RunAsync(DemoContext context, CancellationToken cancel)
    {
        var folder = Path.Combine(context.Root, pictures);
        var files = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.png").Order(StringComparer.Ordinal).Take(Shown).ToList() : [];
        if (files.Count == 0) throw new ModelZooException(ErrorCodes.DatasetInvalid, "The pictures of the demonstration are not there.") { Where = folder };
        var request = new ModelRequest(ModelId.Parse(model));
        var (rows, elapsed, length) = (new StringBuilder(), TimeSpan.Zero, 0);
        foreach (var file in files)
        {
            var original = (await media.ReadAsync(file, cancel).ConfigureAwait(false)).Expect<Image>();
            var tokens = await verbs.TokenizeAsync(request, original, [], cancel).ConfigureAwait(false);
            var decoded = await verbs.DetokenizeAsync(request, tokens.Value, [], cancel).ConfigureAwait(false);
            (elapsed, length) = (elapsed + tokens.Elapsed + decoded.Elapsed, tokens.Value.Ids.Length);
            var name = Path.GetFileNameWithoutExtension(file);
            rows.Append($"<figure>{Html.Picture(original, Width, $"{name}, original")}{Html.Picture(decoded.Value.Expect<Image>(), Width, $"{name}, from {length} tokens")}<figcaption>{Html.Text(name)}</figcaption></figure>");
        }

        context.Say($"{files.Count} pictures");
        var summary = $"{files.Count} pictures of {length} tokens each, there and back in {Html.Number(elapsed.TotalSeconds, "0.00")} s";
        return new(Title, summary, $"<p>{Html.Text(summary)}. Left the original, right what its tokens give back; none was seen in training.</p><div class=\"pictures\">{rows}</div>");
    }
}

/// <summary>A diffusion transformer: one picture a class, with the trajectory from noise to picture.</summary>
/// <param name="verbs">Runs the model.</param>
/// <param name="model">The model.</param>
/// <param name="classes">Prompts.</param>
internal sealed class TrajectoryDemo(ModelVerbs verbs, string model, IReadOnlyList<string> classes) : IDemoStep
{
    private const int Shown = 8, Width = 64, Steps = 50;
    private const ulong Seed = 7;

    public string Title => $"From noise to picture: {model}";

    public async Task<DemoSection> RunAsync(DemoContext context, CancellationToken cancel)
    {
        var request = new ModelRequest(ModelId.Parse(model));
        var (rows, elapsed) = (new List<IReadOnlyList<string>> { new[] { "prompt", "trajectory", "picture" } }, TimeSpan.Zero);
        foreach (var prompt in classes)
        {
            var partial = new List<Image>();
            var result = await verbs.GenerateAsync(request, new(prompt), new JsonObject { ["steps"] = Steps }, Seed, step =>
            {
                if (!step.IsFinal && step.Value is Image preview) partial.Add(preview);
            }, cancel).ConfigureAwait(false);
            elapsed += result.Elapsed;
            var strip = new StringBuilder();
            for (var i = 0; i < Math.Min(Shown, partial.Count); i++)
            {
                var index = i * partial.Count / Math.Min(Shown, partial.Count);
                strip.Append(Html.Picture(partial[index], Width / 2, $"{prompt}, step {index + 1}"));
            }

            rows.Add([Html.Text(prompt), strip.ToString(), Html.Picture(result.Value.Expect<Image>(), Width, prompt)]);
            context.Say($"class {prompt}");
        }

        var summary = $"{classes.Count} pictures of {Steps} steps in {Html.Number(elapsed.TotalSeconds, "0.0")} s, seed {Seed}";
        return new(Title, summary, $"<p>{Html.Text(summary)}.</p><div class=\"pictures\">{Html.Table(rows)}</div>");
    }
}
