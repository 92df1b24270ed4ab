using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests;

/// <summary>Models over the tiny checkpoints of <c>tests/parity/language-models</c>.</summary>
internal static class TinyModel
{
    /// <summary>The first committed case of an architecture, opened.</summary>
    public static async Task<T> OpenAsync<T>(ModelArchitecture architecture) where T : IModel
    {
        var @case = ParityCasesAttribute.Find(architecture.Card.Id, shared: false)[0];
        return (T)await architecture.Open(new() { Id = @case.Model, Folder = @case.CheckpointFolder, Parts = @case.Checkpoint, Services = HostServices.Instance }, CancellationToken.None);
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
    public static long[] PieceLengths(Tokens tokens) => tokens.Extras[PieceTokens.Lengths].As<long>().Span.ToArray();
}
