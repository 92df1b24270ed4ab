using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.CatPruning;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Svg2;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>Papers that compute less: fewer tokens, fewer pairs.</summary>
public sealed class SparseTests : IDisposable
{
    private readonly TinyPipeline _pipeline = new();

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Generate_CatPruning_AllTokensAreStableDiffusion3()
    {
        _pipeline.StableDiffusion3("cat-pruning/tiny-a", width: 10, whole: 8);
        _pipeline.Vae(2);
        await using var model = await _pipeline.OpenAsync(CatPruningModel.Architecture);
        await using var whole = await _pipeline.OpenAsync(SD3Model.Architecture);
        var options = new PruningOptions { Steps = 8, PreviewEvery = 2, FullSteps = 1, Clusters = 5, Height = 96, Width = 96 };
        await TinyPipeline.KeepsTheLawsAsync(model, options);
        var expected = await TinyPipeline.PictureAsync(whole, "a cat", new TextOptions { Steps = 8, Height = 96, Width = 96 });
        Assert.All(expected.Zip(await TinyPipeline.PictureAsync(model, "a cat", options with { Share = 1 })), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        // As long as nothing is pruned, too.
        Assert.All(expected.Zip(await TinyPipeline.PictureAsync(model, "a cat", options with { FullSteps = 6 })), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        Assert.NotEqual(expected, await TinyPipeline.PictureAsync(model, "a cat", options));
    }

    [Fact]
    public void Next_SelectionsOfAPicture_AreFewAndComeRoundToAll()
    {
        const int Rows = 12, Columns = 12, Width = 8;
        var noise = Wave(Rows * Columns, Width);
        var labels = TokenSelection.Cluster(ClusterSelection.FeaturesOf(noise, Rows, Columns), 20, default);
        Assert.InRange(labels.Distinct().Count(), 10, 20);
        Assert.Equal(labels, TokenSelection.Cluster(ClusterSelection.FeaturesOf(noise, Rows, Columns), 20, default));
        var (selection, seen) = (new TokenSelection(new(noise, Rows, Columns, labels), 0.3), new HashSet<long>());
        for (var step = 0; step < 12; step++)
        {
            var selected = selection.Next(noise);
            Assert.InRange(selected.Length, 1, (int)(0.3 * Rows * Columns));
            Assert.Equal(selected.Distinct().Order(), selected);
            seen.UnionWith(selected);
        }

        Assert.Equal(Rows * Columns, seen.Count);
    }

    [Fact]
    public async Task Generate_Svg2_EverythingKeptIsDenseAttention()
    {
        await using var model = await Svg2Model.Architecture.Open(new() { Id = ModelId.Parse("diffusion-transformers/svg2"), Folder = _pipeline.Folder, Services = Conformance.HostServices.Instance }, default);
        var (query, key, value) = (Wave(10, 6, 2), Wave(12, 6, 2, 3), Wave(12, 6, 2, 5));
        var options = new SparseOptions { QueryClusters = 3, KeyClusters = 4, TopP = 1, LeastShare = 0 };
        var all = await AttendAsync(options with { LeastShare = 1 });
        Assert.All(all["density"].As<float>().Span.ToArray(), density => Assert.Equal(1, density, 1e-6f));
        var dense = Dense(query, key, value);
        Assert.All(dense.Span.ToArray().Zip(all["attention"].As<float>().Span.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        var sparse = await AttendAsync(options with { TopP = 0 });
        Assert.All(sparse["density"].As<float>().Span.ToArray(), density => Assert.InRange(density, 0.01f, 0.8f));
        Assert.Equal(sparse["attention"].As<float>().Span.ToArray(), (await AttendAsync(options with { TopP = 0 }))["attention"].As<float>().Span.ToArray());
        await Assert.ThrowsAsync<MediaException>(() => AttendAsync(options, Wave(11, 6, 2)));

        async Task<IReadOnlyDictionary<string, Tensor>> AttendAsync(SparseOptions chosen, Tensor<float>? values = null)
        {
            NamedTensors? last = null;
            await foreach (var step in model.Get<IGenerate>().GenerateAsync(new(null, [new NamedTensors(new Dictionary<string, Tensor> { ["query"] = query, ["key"] = key, ["value"] = values ?? value })]), chosen, 3)) last = (NamedTensors)step.Value!;
            return last!.Values;
        }
    }

    private static Tensor<float> Dense(Tensor<float> query, Tensor<float> key, Tensor<float> value)
    {
        var (heads, queries, keys, width) = ((int)query.Shape[1], (int)query.Shape[2], (int)key.Shape[2], (int)query.Shape[3]);
        var result = Tensor.Zeros<float>(query.Shape);
        for (var h = 0; h < heads; h++)
        {
            for (var q = 0; q < queries; q++)
            {
                var scores = Enumerable.Range(0, keys).Select(k => Math.Exp(Enumerable.Range(0, width).Sum(d => (double)query[0, h, q, d] * key[0, h, k, d]) / Math.Sqrt(width))).ToArray();
                for (var d = 0; d < width; d++) result[0, h, q, d] = (float)(Enumerable.Range(0, keys).Sum(k => scores[k] * value[0, h, k, d]) / scores.Sum());
            }
        }

        return result;
    }

    private static Tensor<float> Wave(int tokens, int width)
    {
        var wave = Tensor.Zeros<float>(tokens, width);
        for (var i = 0; i < wave.Length; i++) wave.Span[i] = MathF.Sin(i * 1.7f) + i % 5 * 0.1f;
        return wave;
    }

    private static Tensor<float> Wave(int tokens, int width, int heads, float phase = 1)
    {
        var wave = Tensor.Zeros<float>(1, heads, tokens, width);
        for (var i = 0; i < wave.Length; i++) wave.Span[i] = MathF.Sin(i * 0.9f + phase);
        return wave;
    }
}
