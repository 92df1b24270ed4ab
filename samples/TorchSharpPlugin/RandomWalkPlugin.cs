using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Samples.TorchSharpPlugin;
using static TorchSharp.torch;

[assembly: ModelPlugin(typeof(RandomWalkPlugin))]

namespace ModelZoo.Samples.TorchSharpPlugin;

/// <summary>One model that needs no weights: a walk in space, drawn by TorchSharp.</summary>
public sealed class RandomWalkPlugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        new(new ModelCard { Id = "samples/random-walk", Paper = "The Problem of the Random Walk", Authors = ["Karl Pearson"], Inputs = [], Outputs = [Modality.Motion] },
            static (_, _) => ValueTask.FromResult<IModel>(new RandomWalk())),
    ];
}

/// <summary>What a caller may choose.</summary>
public sealed record RandomWalkOptions : ModelOptions
{
    /// <summary>Steps of the walk.</summary>
    [Description("Steps of the walk."), Range(1, 100_000)]
    public int Length { get; init; } = 100;
}

/// <summary>Sums of normal steps: x_t = x_(t-1) + n_t.</summary>
public sealed class RandomWalk : IModel, IGenerate<Motion, RandomWalkOptions>
{
    /// <inheritdoc/>
    public ModelFacts Facts { get; } = new();

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Motion>> GenerateAsync(Prompt prompt, RandomWalkOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var values = await Task.Run(() => Walk(options.Length, seed), cancel).ConfigureAwait(false);
        yield return Generation<Motion>.Final(new(Contracts.Tensor.Create(values, options.Length, 3), 20, "joints-1"), 1);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static float[] Walk(int length, ulong seed)
    {
        using var generator = new Generator(seed);
        using var steps = randn(length, 3, generator: generator);   // (frames, 3)
        using var places = steps.cumsum(0);
        return places.data<float>().ToArray();
    }
}
