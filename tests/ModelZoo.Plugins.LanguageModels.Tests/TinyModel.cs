using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests;

/// <summary>Models over the tiny checkpoints of <c>tests/parity/language-models</c>.</summary>
internal static class TinyModel
{
    /// <summary>The first committed case of an architecture, opened.</summary>
    /// <param name="architecture">The architecture.</param>
    /// <param name="config">Changes the text of its <c>config.json</c>; null leaves it.</param>
    public static async Task<T> OpenAsync<T>(ModelArchitecture architecture, Func<string, string>? config = null) where T : IModel
    {
        var @case = ParityCasesAttribute.Find(architecture.Card.Id, shared: false)[0];
        async Task<T> OpenAsync(string folder) => (T)await architecture.Open(new() { Id = @case.Model, Folder = folder, Parts = @case.Checkpoint, Services = HostServices.Instance }, CancellationToken.None);
        if (config is null) return await OpenAsync(@case.CheckpointFolder!);
        var copy = Directory.CreateTempSubdirectory("language-model").FullName;
        try
        {
            foreach (var file in Directory.GetFiles(@case.CheckpointFolder!)) File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
            var path = Path.Combine(copy, "config.json");
            File.WriteAllText(path, config(File.ReadAllText(path)));
            return await OpenAsync(copy);
        }
        finally
        {
            Directory.Delete(copy, recursive: true); // mapped files stay until they are unmapped
        }
    }

    /// <summary>The text that a model continues a prompt with.</summary>
    public static async Task<string> GenerateAsync(IModel model, string prompt, ModelOptions options, ulong seed = 0)
    {
        var shown = "";
        await foreach (var step in model.Get<IGenerate>().GenerateAsync(new(prompt), options, seed))
        {
            var text = step.Value is Text some ? some.Value : shown;
            Assert.StartsWith(shown, text, StringComparison.Ordinal);
            shown = text;
        }

        return shown;
    }

    /// <summary>What a model observes of texts.</summary>
    public static async Task<List<Observation>> ObserveAsync(IModel model, ModelOptions options, params string[] texts)
    {
        var observed = new List<Observation>();
        await foreach (var observation in model.Get<IEvaluate>().ObserveAsync(texts.Select((text, i) => new Example($"{i}", new Text(text)) { Ordinal = i }).ToAsyncEnumerable(), options, 0)) observed.Add(observation);
        return observed;
    }

    /// <summary>Bits of each byte of an observation.</summary>
    public static double[] Bits(Observation observation) => ((NamedTensors)observation.Output!).Values[ByteMetrics.Bits].As<double>().Span.ToArray();

    /// <summary>Bytes of each piece of tokens.</summary>
    public static long[] PieceLengths(Tokens tokens) => tokens.Extras[Tokens.PieceLengths].As<long>().Span.ToArray();

    /// <summary>Tokens of a text, with options as they are typed.</summary>
    public static async Task<Tokens> TokenizeAsync(IModel model, string text, params (string Name, string Value)[] options)
    {
        var tokenizer = model.Get<ITokenize>();
        return await tokenizer.TokenizeAsync(new Text(text), tokenizer.TokenizeOptions.Bind(options.Select(option => KeyValuePair.Create(option.Name, option.Value))));
    }

    /// <summary>Fails unless numbers agree to 1e-4 of the largest.</summary>
    public static void Near(ReadOnlySpan<float> expected, ReadOnlySpan<float> found)
    {
        Assert.Equal(expected.Length, found.Length);
        var (worst, largest) = (0f, 1e-6f);
        for (var i = 0; i < expected.Length; i++) (worst, largest) = (Math.Max(worst, Math.Abs(expected[i] - found[i])), Math.Max(largest, Math.Abs(expected[i])));
        Assert.True(worst <= 1e-4f * largest, $"{worst} of {largest}");
    }
}
