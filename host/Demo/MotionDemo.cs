using System.Text;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media.Motions;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Demo;

/// <summary>A text-to-motion model: motions from words, played on the page; the last is a long one whose captions follow each other.</summary>
/// <param name="verbs">Runs the model.</param>
/// <param name="model">The model.</param>
/// <param name="captions">Prompts.</param>
internal sealed class MotionDemo(ModelVerbs verbs, string model, IReadOnlyList<string> captions) : IDemoStep
{
    private const int Frames = 80;
    private const ulong Seed = 7;

    public string Title => $"Motion from words: {model}";

    public async Task<DemoSection> RunAsync(DemoContext context, CancellationToken cancel)
    {
        var request = new ModelRequest(ModelId.Parse(model));
        var (figures, elapsed, frames, digest) = (new StringBuilder(), TimeSpan.Zero, 0L, "");
        foreach (var caption in captions)
        {
            var result = await verbs.GenerateAsync(request, new(caption), new JsonObject { ["frames"] = Frames }, Seed, static _ => { }, cancel).ConfigureAwait(false);
            var motion = result.Value.Expect<Motion>();
            (elapsed, frames) = (elapsed + result.Elapsed, frames + motion.Features.Shape[0]);
            digest = DigestOf(motion);
            figures.Append(MotionViewer.Figure(motion, $"\"{caption.Replace(" | ", ", then ", StringComparison.Ordinal)}\", {motion.Features.Shape[0]} frames, seed {Seed}, SHA-256 {digest}"));
            context.Say(caption);
        }

        var summary = $"{captions.Count} motions, {frames} frames in {Html.Number(elapsed.TotalSeconds, "0.0")} s, seed {Seed}";
        return new(Title, summary, $"<style>{MotionViewer.Style}\n.motions {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 1.2rem; }}</style><p>{Html.Text(summary)}. Left is blue, right is red; space plays, arrow keys turn.</p><div class=\"motions\">{figures}</div>{MotionViewer.Script}");
    }

    // The first bytes of the features' digest: the same seed gives the same motion.
    private static string DigestOf(Motion motion) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(motion.Features.Bytes))[..12];
}
