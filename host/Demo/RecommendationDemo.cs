using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Demo;

/// <summary>A generative recommender: real histories, the items that it ranks first, and whether the item that really came next is among them.</summary>
/// <param name="verbs">Runs the model.</param>
/// <param name="model">The model.</param>
/// <param name="histories">Users with their items in order, below the manifest's folder.</param>
internal sealed class RecommendationDemo(ModelVerbs verbs, string model, string histories) : IDemoStep
{
    private const int Users = 60, Shown = 5, Ranked = 10;

    public string Title => $"The next item of a real history: {model}";

    public async Task<DemoSection> RunAsync(DemoContext context, CancellationToken cancel)
    {
        var file = Path.Combine(context.Root, histories);
        if (!File.Exists(file)) throw new ModelZooException(ErrorCodes.DatasetInvalid, "The histories of the demonstration are not there.") { Where = file };
        var users = JsonSerializer.Deserialize<Dictionary<string, int[]>>(await File.ReadAllBytesAsync(file, cancel).ConfigureAwait(false))!.Take(Users).ToList();
        var request = new ModelRequest(ModelId.Parse(model));
        var (rows, hits, elapsed) = (new List<IReadOnlyList<string>> { new[] { "user", "last items", "came next", $"ranked first of {Ranked}", "" } }, 0, TimeSpan.Zero);
        foreach (var (user, items) in users)
        {
            var history = new Items([.. items[..^1].Select(item => item.ToString())]);
            var result = await verbs.GenerateAsync(request, new(null, [history]), new JsonObject { ["beams"] = Ranked }, 0, static _ => { }, cancel).ConfigureAwait(false);
            elapsed += result.Elapsed;
            var (ranked, next) = (result.Value.Expect<Items>(), items[^1].ToString());
            var place = ranked.Ids.ToList().IndexOf(next);
            if (place >= 0) hits++;
            // Hits first: they are rare in so small a model.
            if (place >= 0 || rows.Count <= Shown) rows.Add([Html.Text(user), string.Join(", ", history.Ids.TakeLast(5)), next, string.Join(", ", ranked.Ids.Take(5)), place >= 0 ? $"at place {place + 1}" : ""]);
        }

        context.Say($"{users.Count} users");
        var summary = $"{users.Count} users, the item that came next among the first {Ranked} for {hits} of them; {Html.Number(users.Count / elapsed.TotalSeconds, "0")} users/s";
        return new(Title, summary, $"<p>{Html.Text(summary)}.</p>{Html.Table(rows)}");
    }
}
