using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;
using Xunit;

namespace ModelZoo.Conformance;

/// <summary>
/// The laws that every plugin keeps. An author inherits this class in a test project, and every law is a test:
/// <code>
/// public sealed class MyPluginLaws : PluginLaws&lt;MyPlugin&gt;
/// {
///     protected override IEnumerable&lt;LawSample&gt; Samples =&gt; [new("example/bytes", new Text("Hello"))];
/// }
/// </code>
/// </summary>
/// <typeparam name="TPlugin">The plugin.</typeparam>
public abstract class PluginLaws<TPlugin> where TPlugin : IModelPlugin, new()
{
    /// <summary>Models with an input, for the laws of the verbs; without samples only the table is looked at.</summary>
    protected virtual IEnumerable<LawSample> Samples => [];

    /// <summary>Verbs for which the kit need not find an input, as <c>family/architecture verb</c>; what is named here and can be tried all the same is an error.</summary>
    protected virtual IReadOnlySet<string> Untried => new HashSet<string>();

    [Fact]
    public void Table_EveryCard_IsComplete()
    {
        var ids = new HashSet<string>();
        foreach (var card in new TPlugin().Architectures.Select(architecture => architecture.Card))
        {
            Assert.True(ModelId.TryParse(card.Id, out var id) && id.Tag is null, $"'{card.Id}' is not family/architecture in lower case.");
            Assert.True(ids.Add(card.Id), $"{card.Id} is there twice.");
            Assert.False(string.IsNullOrWhiteSpace(card.Paper), $"{card.Id} names no paper.");
            Assert.True(card.Hidden || card.Authors.Count > 0, $"{card.Id} names no authors.");
            Assert.True(card.Authors.All(author => author.Trim().Length > 0 && !AndOthers.IsMatch(author)), $"{card.Id} does not name all authors: {string.Join(", ", card.Authors)}.");
            Assert.True(card.ArXiv is null || ArXiv.IsMatch(card.ArXiv), $"'{card.ArXiv}' of {card.Id} is no arXiv identifier.");
            Assert.True(card.Hidden || card.Repository is null || card.Repository.Split('/') is [{ Length: > 0 }, { Length: > 0 }], $"'{card.Repository}' of {card.Id} is not owner/repository.");
            Assert.True(card.Hidden || card.Repository is null || !string.IsNullOrWhiteSpace(card.CodeLicense), $"{card.Id} names no licence of {card.Repository}; where there is none, say 'none stated'.");
            Assert.True(card.Hidden || (card.Inputs.Count > 0 && card.Outputs.Count > 0), $"{card.Id} does not say what goes in and comes out.");
            JsonSerializer.Serialize(card);
        }
    }

    [Fact]
    public void Table_EveryMetric_HasItsOwnNameAndASentence()
    {
        var metrics = new TPlugin().Metrics;
        Assert.Equal(metrics.Count, metrics.Select(metric => metric.Name).Distinct().Count());
        foreach (var metric in metrics)
        {
            Assert.True(metric.Name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.' or '@'), $"'{metric.Name}' is not lower-case with dashes.");
            Assert.False(string.IsNullOrWhiteSpace(metric.Description), $"{metric.Name} is not described.");
            Assert.Null(metric.Start().Result());
        }
    }

    [Fact]
    public Task Samples_EveryVerb_IsTriedOrNamedAsUntried() => KeepAsync(Law.Tried);

    [Fact]
    public Task Options_EveryVerb_ExplainsThemAndTakesItsOwnDefaults() => KeepAsync(Law.Options);

    [Fact]
    public Task Tokenize_SameInput_GivesTheSameTokensAloneAndBesideOthers() => KeepAsync(Law.SameTokens);

    [Fact]
    public Task Tokenize_Tokens_AreOfTheirSpaceAndComeBackAsTheSameKindOfMedia() => KeepAsync(Law.RoundTrip);

    [Fact]
    public Task Generate_SameSeed_GivesTheSameResultAloneAndBesideOthers() => KeepAsync(Law.SameSeed);

    [Fact]
    public Task Generate_Cancelled_StopsWithinAStep() => KeepAsync(Law.Cancellation);

    [Fact]
    public Task Generate_GuidanceOfOne_IsTheConditionAlone() => KeepAsync(Law.Guidance);

    /// <summary>Used and let go, the plugin leaves nothing behind that holds it: no handler on a static event, no thread or timer, no cache of its types in shared code.</summary>
    [Fact]
    public async Task Unload_AfterUse_NothingHoldsThePlugin()
    {
        var context = await UnloadProbe.UseAndUnloadAsync(typeof(TPlugin), async plugin =>
        {
            foreach (var sample in Samples.Take(UnloadSamples)) await new LawRun(plugin).UseAsync(sample);
        });
        Assert.True(await UnloadProbe.DiesAsync(context), $"{typeof(TPlugin)} was let go, and something holds it: a handler on a static event, a thread, a timer, a thread static, or a cache of its types in shared code.");
    }

    /// <summary>How many of the samples the unload law uses: its plugin is compiled a second time.</summary>
    protected virtual int UnloadSamples => int.MaxValue;

    private static readonly Regex ArXiv = new(@"^\d{4}\.\d{4,5}$|^[a-z-]+(\.[A-Z]{2})?/\d{7}$", RegexOptions.CultureInvariant);

    private static readonly Regex AndOthers = new(@"\b(et al|others)\b", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase);

    // Each model is opened once for all laws.
    private static readonly ConcurrentDictionary<Type, Lazy<Task<IReadOnlyList<(Law Law, string What)>>>> Runs = new();

    private async Task KeepAsync(Law law)
    {
        var broken = await Runs.GetOrAdd(GetType(), _ => new(() => LawRun.AllAsync(new TPlugin(), Samples, Untried))).Value;
        Assert.True(broken.All(one => one.Law != law), string.Join('\n', broken.Where(one => one.Law == law).Select(one => one.What)));
    }
}
