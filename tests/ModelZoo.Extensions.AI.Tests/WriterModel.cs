using System.ComponentModel;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Extensions.AI.Tests;

public sealed record WriterOptions : ModelOptions
{
    [Description("Heat.")] public float Temperature { get; init; } = 1;
    [Description("Share of the likeliest.")] public float TopP { get; init; } = 1;
    [Description("Words.")] public int MaxNewTokens { get; init; } = 3;
    [Description("Where it ends.")] public string[] Stop { get; init; } = [];
    [Description("Words that it takes back.")] public bool Rewrites { get; init; }
}

/// <summary>Writes its prompt and options, word by word; a token is a character.</summary>
internal sealed class WriterModel : IModel, IGenerate<Text, WriterOptions>, ITokenize<Text, NoOptions>
{
    private readonly TokenSpace _space = new("test/writer", TokenLayout.Flat, [65536], "units");

    public ModelFacts Facts => new();

    public int Steps { get; private set; }

    public async IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, WriterOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        string[] words = [prompt.Text!, FormattableString.Invariant($" t={options.Temperature} p={options.TopP}"), $" stop={string.Join('|', options.Stop)}", $" seed={seed}"];
        for (var i = 1; i < words.Length; i++)
        {
            await Task.Delay(1, cancel);
            Steps++;
            yield return Generation<Text>.Progress(i, words.Length, new(options.Rewrites ? $"draft {i}" : string.Concat(words[..i])));
        }

        yield return Generation<Text>.Final(new(string.Concat(words)), words.Length);
    }

    public ValueTask<Tokens> TokenizeAsync(Text media, NoOptions options, CancellationToken cancel = default) =>
        ValueTask.FromResult(new Tokens(_space, Tensor.Create(media.Value.Select(c => (int)c).ToArray(), media.Value.Length)));

    public ValueTask<Text> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

public sealed record PainterOptions : ModelOptions
{
    [Description("Columns.")] public int Width { get; init; } = 2;
    [Description("Rows.")] public int Height { get; init; } = 2;
}

/// <summary>Paints in the shade of its seed.</summary>
internal sealed class PainterModel : IModel, IGenerate<Image, PainterOptions>
{
    public ModelFacts Facts => new();

    public async IAsyncEnumerable<Generation<Image>> GenerateAsync(Prompt prompt, PainterOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await Task.Yield();
        yield return Generation<Image>.Final(new(Tensor.Create(Enumerable.Repeat(seed / 10f, options.Width * options.Height).ToArray(), 1, options.Height, options.Width)), 1);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
