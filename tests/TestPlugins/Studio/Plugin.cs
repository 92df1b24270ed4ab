using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(Studio.Plugin))]

namespace Studio;

/// <summary>One small model a kind of media: a story word by word, a picture, a tone, a vector, a mesh.</summary>
public sealed class Plugin : IModelPlugin
{
    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        Architecture<StoryModel>("test/story", Modality.Text), Architecture<PictureModel>("test/picture", Modality.Image), Architecture<ToneModel>("test/tone", Modality.Audio),
        Architecture<VectorModel>("test/vector", Modality.Tensors), Architecture<BodyModel>("test/body", Modality.Mesh),
    ];

    public IReadOnlyList<IMetric> Metrics { get; } = [new MeanMetric("letters", "letters", null, "Length of the output.", o => o.Output is Text text ? text.Value.Length : null)];

    private static ModelArchitecture Architecture<T>(string id, Modality makes) where T : IModel, new() =>
        new(new ModelCard { Id = id, Paper = "A Studio", Authors = ["Nobody"], Inputs = [Modality.Text], Outputs = [makes] }, (_, _) => ValueTask.FromResult<IModel>(new T()));
}

public sealed record StoryOptions : ModelOptions
{
    [Description("Heat."), Range(0.0, 2.0)]
    public float Temperature { get; init; } = 1;

    [Description("Most words."), Range(1, 100_000)]
    public int MaxTokens { get; init; } = 8;

    [Description("Milliseconds that a word takes."), Range(0, 10_000)]
    public int Delay { get; init; }

    [Description("Words at which it ends.")]
    public string[] Stop { get; init; } = [];
}

/// <summary>Its prompt, word by word, over and over. Evaluated, it gives each text back, in the time of a word.</summary>
public sealed class StoryModel : IModel, IGenerate<Text, StoryOptions>, IEvaluate
{
    public ModelFacts Facts => new();

    public Modality Evaluates => Modality.Text;

    public IReadOnlyList<string> DefaultMetrics => ["letters"];

    public OptionsSchema EvaluateOptions => OptionsSchema.Of<StoryOptions>();

    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var example in examples.WithCancellation(cancel))
        {
            await Task.Delay(options.Expect<StoryOptions>().Delay, cancel);
            yield return new(example.Id, example.Media, example.Media);
        }
    }

    public async IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, StoryOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var (words, story) = (prompt.RequireText().Split(' '), "");
        for (var i = 0; i < options.MaxTokens; i++)
        {
            await Task.Delay(options.Delay, cancel);
            if (options.Stop.Contains(words[i % words.Length])) break;
            story += (i == 0 ? "" : " ") + words[i % words.Length];
            yield return Generation<Text>.Progress(i, options.MaxTokens, new(story));
        }

        yield return Generation<Text>.Final(new(story), options.MaxTokens);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>A picture of 4 x 3, as grey as its seed.</summary>
public sealed class PictureModel : IModel, IGenerate<Image, NoOptions>
{
    public ModelFacts Facts => new();

    public async IAsyncEnumerable<Generation<Image>> GenerateAsync(Prompt prompt, NoOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await Task.Yield();
        yield return Generation<Image>.Final(new(Tensor.Create(Enumerable.Repeat(seed % 10 / 10f, 12).ToArray(), 1, 3, 4)), 1);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>A tone of a tenth of a second, as many hertz as its prompt has letters times 100.</summary>
public sealed class ToneModel : IModel, IGenerate<Audio, NoOptions>
{
    public ModelFacts Facts => new();

    public async IAsyncEnumerable<Generation<Audio>> GenerateAsync(Prompt prompt, NoOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await Task.Yield();
        var hertz = 100 * prompt.RequireText().Length;
        yield return Generation<Audio>.Final(new(Tensor.Create(Enumerable.Range(0, 800).Select(i => 0.5f * MathF.Sin(2 * MathF.PI * hertz * i / 8000)).ToArray(), 1, 800), 8000), 1);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>How often each of the letters a to h is there.</summary>
public sealed class VectorModel : IModel, IGenerate<NamedTensors, NoOptions>
{
    public ModelFacts Facts => new();

    public async IAsyncEnumerable<Generation<NamedTensors>> GenerateAsync(Prompt prompt, NoOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await Task.Yield();
        var counts = "abcdefgh".Select(letter => (float)prompt.RequireText().Count(c => c == letter)).ToArray();
        yield return Generation<NamedTensors>.Final(new(new Dictionary<string, Tensor> { ["embedding"] = Tensor.Create(counts, counts.Length) }), 1);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

public sealed record BodyOptions : ModelOptions
{
    [Description("Without faces: points alone.")]
    public bool Points { get; init; }
}

/// <summary>A torus.</summary>
public sealed class BodyModel : IModel, IGenerate<Mesh, BodyOptions>
{
    private const int Around = 48, Across = 24;

    public ModelFacts Facts => new();

    public async IAsyncEnumerable<Generation<Mesh>> GenerateAsync(Prompt prompt, BodyOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await Task.Yield();
        var (vertices, faces) = (new List<float>(), new List<int>());
        for (var i = 0; i < Around; i++)
        {
            for (var j = 0; j < Across; j++)
            {
                var (u, v) = (2 * MathF.PI * i / Around, 2 * MathF.PI * j / Across);
                vertices.AddRange([(1 + 0.4f * MathF.Cos(v)) * MathF.Cos(u), 0.4f * MathF.Sin(v), (1 + 0.4f * MathF.Cos(v)) * MathF.Sin(u)]);
                var (a, b, c, d) = (i * Across + j, (i + 1) % Around * Across + j, (i + 1) % Around * Across + (j + 1) % Across, i * Across + (j + 1) % Across);
                faces.AddRange([a, b, c, a, c, d]);
            }
        }

        yield return Generation<Mesh>.Final(new(Tensor.Create(vertices.ToArray(), vertices.Count / 3, 3), options.Points ? null : Tensor.Create(faces.ToArray(), faces.Count / 3, 3)), 1);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
