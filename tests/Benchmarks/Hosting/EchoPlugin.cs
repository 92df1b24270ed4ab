using ModelZoo.Benchmarks.Hosting;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(EchoPlugin))]

namespace ModelZoo.Benchmarks.Hosting;

/// <summary>A plugin that does next to nothing, so that what is timed is the host. This assembly is the plugin.</summary>
public sealed class EchoPlugin : IModelPlugin
{
    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        new(new ModelCard { Id = "benchmarks/echo", Paper = "Echo", Authors = ["Nobody"], Inputs = [Modality.Text], Outputs = [Modality.Tokens, Modality.Text] }, static (_, _) => ValueTask.FromResult<IModel>(new EchoModel())),
    ];
}

/// <summary>Always the same answer.</summary>
public sealed class EchoModel : IModel, ITokenize<Text, NoOptions>
{
    private readonly Tokens _tokens = new(new("benchmarks/echo", TokenLayout.Flat, [1], "echo"), Tensor.Create([0], 1));

    public ModelFacts Facts { get; } = new();

    public ValueTask<Tokens> TokenizeAsync(Text media, NoOptions options, CancellationToken cancel = default) => ValueTask.FromResult(_tokens);

    public ValueTask<Text> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default) => ValueTask.FromResult(new Text(""));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
