using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Conformance.Tests;

/// <summary>The laws, kept by a model that is what they ask for; and broken one at a time.</summary>
public sealed class KeptLaws : PluginLaws<KeptLaws.Plugin>
{
    protected override IEnumerable<LawSample> Samples => [new("test/laws", new Text("Hello")) { Prompt = new("x"), IsLossless = (a, b) => a == b }];

    public sealed class Plugin : LawfulPlugin;
}

public sealed class BrokenLawsTests
{
    private sealed class Broken<TPlugin> : PluginLaws<TPlugin> where TPlugin : IModelPlugin, new()
    {
        protected override IEnumerable<LawSample> Samples => [new("test/laws", new Text("Hello")) { Prompt = new("x"), IsLossless = (a, b) => a == b }];
    }

    public sealed class Forgetful : LawfulPlugin
    {
        public override string Decode(string text) => text.ToLowerInvariant();
    }

    public sealed class Moody : LawfulPlugin
    {
        private int _calls;
        public override int Encode(char c) => c + Interlocked.Increment(ref _calls);
        public override string Result(ulong seed) => $"{Interlocked.Increment(ref _calls)}";
    }

    public sealed class Stubborn : LawfulPlugin
    {
        public override bool Listens => false;
    }

    public sealed class Clinging : LawfulPlugin
    {
        public override int Encode(char c)
        {
            AppDomain.CurrentDomain.DomainUnload += Nothing;
            return c;
        }

        private static void Nothing(object? sender, EventArgs e)
        {
        }
    }

    /// <summary>The same answer each time it is asked alone, another one beside others: state that requests share.</summary>
    public sealed class Crowded : LawfulPlugin
    {
        private ulong _seed;
        public override void Begin(ulong seed) => _seed = seed;
        public override string Result(ulong seed) => $"{_seed}";
    }

    [Fact]
    public Task Unload_HandlerOnAStaticEvent_IsFound() => Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(new Broken<Clinging>().Unload_AfterUse_NothingHoldsThePlugin);

    [Fact]
    public Task Together_StateThatRequestsShare_IsFound() => Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(new Broken<Crowded>().Generate_SameSeed_GivesTheSameResultAloneAndBesideOthers);

    [Fact]
    public Task RoundTrip_Lossy_IsFound() => Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(new Broken<Forgetful>().Tokenize_Tokens_AreOfTheirSpaceAndComeBackAsTheSameKindOfMedia);

    [Fact]
    public async Task Determinism_Missing_IsFound()
    {
        await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(new Broken<Moody>().Tokenize_SameInput_GivesTheSameTokensAloneAndBesideOthers);
        await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(new Broken<Moody>().Generate_SameSeed_GivesTheSameResultAloneAndBesideOthers);
    }

    [Fact]
    public Task Cancellation_Ignored_IsFound() => Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(new Broken<Stubborn>().Generate_Cancelled_StopsWithinAStep);
}

public abstract class LawfulPlugin : IModelPlugin
{
    protected LawfulPlugin() => Architectures = [new(new ModelCard { Id = "test/laws", Paper = "Laws", Authors = ["Nobody"], Inputs = [Modality.Text], Outputs = [Modality.Text] }, (_, _) => ValueTask.FromResult<IModel>(new Model(this)))];

    public IReadOnlyList<ModelArchitecture> Architectures { get; }
    public virtual int Encode(char c) => c;
    public virtual string Decode(string text) => text;
    public virtual string Result(ulong seed) => $"{seed}";
    public virtual bool Listens => true;

    public virtual void Begin(ulong seed)
    {
    }

    private sealed class Model(LawfulPlugin plugin) : IModel, ITokenize<Text, NoOptions>, IGenerate<Text, NoOptions>
    {
        private readonly TokenSpace _space = new("test/laws", TokenLayout.Flat, [70000], "laws");
        public ModelFacts Facts => new();
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        public ValueTask<Tokens> TokenizeAsync(Text media, NoOptions options, CancellationToken cancel = default) =>
            ValueTask.FromResult(new Tokens(_space, Tensor.Create(media.Value.Select(plugin.Encode).ToArray(), media.Value.Length)));

        public ValueTask<Text> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default) =>
            ValueTask.FromResult(new Text(plugin.Decode(string.Concat(tokens.Expect(_space).Ids.Span.ToArray().Select(id => (char)id)))));

        public async IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, NoOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
        {
            plugin.Begin(seed);
            for (var i = 0; i < 5; i++)
            {
                await Task.Yield();
                if (plugin.Listens) cancel.ThrowIfCancellationRequested();
                yield return Generation<Text>.Progress(i, 5);
            }

            yield return Generation<Text>.Final(new Text(plugin.Result(seed)), 5);
        }
    }
}
