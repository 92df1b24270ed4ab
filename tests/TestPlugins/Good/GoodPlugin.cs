using System.Collections.Generic;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(Good.GoodPlugin))]

namespace Good;

/// <summary>One model with every verb: text to code units and back, counting generation, and a call that doubles.</summary>
public sealed class GoodPlugin : IModelPlugin
{
    public const string Version = "VERSION";

    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        new(new ModelCard
        {
            Id = "test/echo", Paper = "An Echo " + Version, Authors = ["Nobody"], Inputs = [Modality.Text], Outputs = [Modality.Tokens],
        }, (source, _) => ValueTask.FromResult<IModel>(new EchoModel(source))),
    ];

    public IReadOnlyList<IMetric> Metrics { get; } = [new MeanMetric("length", "characters", null, "Length of the output.", o => o.Output is Text text ? text.Value.Length : null)];
}

public sealed record EchoOptions : ModelOptions
{
    [Description("Added to each unit."), Range(0, 9)]
    public int Shift { get; init; }

    [Description("Milliseconds that a step takes."), Range(0, 10_000)]
    public int Delay { get; init; }

    [Description("File whose text comes behind the prompt."), DataType("path")]
    public string? Suffix { get; init; }
}

public sealed class EchoModel(ModelSource source) : IModel, ITokenize<Text, EchoOptions>, IGenerate<Text, EchoOptions>, IEvaluate, IReferenceCalls
{
    private readonly TokenSpace _space = new(source.Id.ToString(), TokenLayout.Flat, [65545], "units");
    private bool _disposed;

    public TokenSpace Space => _space;

    public ModelFacts Facts => new() { Parameters = 1, PrivateBytes = 1000, Properties = [new("version", GoodPlugin.Version)] };

    public ValueTask<Tokens> TokenizeAsync(Text media, EchoOptions options, CancellationToken cancel = default) =>
        ValueTask.FromResult(new Tokens(_space, Tensor.Create(media.Value.Select(c => c + options.Shift).ToArray(), media.Value.Length)));

    public ValueTask<Text> DetokenizeAsync(Tokens tokens, EchoOptions options, CancellationToken cancel = default) =>
        ValueTask.FromResult(new Text(string.Concat(tokens.Expect(_space).Ids.Span.ToArray().Select(id => (char)(id - options.Shift)))));

    public async IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, EchoOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var words = prompt.Text ?? string.Concat(prompt.Media.OfType<Text>().Select(text => text.Value));
        for (var i = 0; i < 5; i++)
        {
            await Task.Delay(options.Delay, cancel);
            if (_disposed) throw new System.ObjectDisposedException("EchoModel");
            yield return Generation<Text>.Progress(i, 5);
        }

        yield return Generation<Text>.Final(new Text($"{GoodPlugin.Version}:{words}{(options.Suffix is null ? "" : System.IO.File.ReadAllText(options.Suffix))}:{seed}"), 5);
    }

    public Modality Evaluates => Modality.Text;
    public IReadOnlyList<string> DefaultMetrics => ["length"];
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<EchoOptions>();

    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var example in examples.WithCancellation(cancel))
        {
            if (example.Media.Expect<Text>().Value == "silence") throw new MediaException(ErrorCodes.MediaMalformed, "Silence has no echo.") { Found = "silence" };
            yield return new(example.Id, example.Media, example.Media) { Group = "once" };
            yield return new(example.Id, example.Media, new Text(example.Media.Expect<Text>().Value + example.Media.Expect<Text>().Value)) { Group = "twice" };
        }
    }

    public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => call == "double"
        ? ValueTask.FromResult(new CallResults().Add("y", Tensor.Create(arguments.Tensor<float>("x").Span.ToArray().Select(x => 2 * x).ToArray(), arguments.Tensor<float>("x").Shape)))
        : throw new ModelZooException(ErrorCodes.VerbUnsupported, $"There is no call '{call}'.");

    public ValueTask DisposeAsync()
    {
        _disposed = true;
        return ValueTask.CompletedTask;
    }
}
