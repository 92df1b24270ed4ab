using System.Runtime.CompilerServices;

namespace ModelZoo.Contracts;

/// <summary>
/// Prompt to media. Implement <see cref="IGenerate{TResult, TOptions}"/>; hosts call this one. The same prompt, options and seed give the same result on every machine of one device kind, alone or in a batch.
/// </summary>
public interface IGenerate
{
    /// <summary>What it makes.</summary>
    Modality Makes { get; }

    /// <summary>The options that it takes.</summary>
    OptionsSchema GenerateOptions { get; }

    /// <summary>Runs until the final result, which comes last; cancellation stops within one step.</summary>
    IAsyncEnumerable<Generation> GenerateAsync(Prompt prompt, ModelOptions options, ulong seed, CancellationToken cancel = default);
}

/// <summary>Prompt to media, typed.</summary>
/// <typeparam name="TResult">What it makes.</typeparam>
/// <typeparam name="TOptions">Its options.</typeparam>
public interface IGenerate<TResult, TOptions> : IGenerate where TResult : Media where TOptions : ModelOptions, new()
{
    /// <summary>Runs until the final result, which comes last.</summary>
    IAsyncEnumerable<Generation<TResult>> GenerateAsync(Prompt prompt, TOptions options, ulong seed, CancellationToken cancel = default);

    Modality IGenerate.Makes => Modalities.Of<TResult>();

    OptionsSchema IGenerate.GenerateOptions => OptionsSchema.Of<TOptions>();

    async IAsyncEnumerable<Generation> IGenerate.GenerateAsync(Prompt prompt, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        await foreach (var step in GenerateAsync(prompt, options.Expect<TOptions>(), seed, cancel).ConfigureAwait(false)) yield return step;
    }
}

/// <summary>What to generate from: words, media, or both; nothing for unconditional models.</summary>
/// <param name="Text">Words, or the name or number of a class.</param>
/// <param name="Media">Pictures to edit, sound to continue, a history to extend.</param>
public sealed record Prompt(string? Text, IReadOnlyList<Media> Media)
{
    /// <summary>A prompt of words.</summary>
    public Prompt(string text) : this(text, []) { }

    /// <summary>The first media of type <typeparamref name="T"/>.</summary>
    /// <exception cref="MediaException">There is none.</exception>
    public T Require<T>() where T : Media => Media.OfType<T>().FirstOrDefault()
        ?? throw new MediaException(ErrorCodes.MediaUnsupported, $"The prompt needs {Named(Modalities.Of<T>())}.") { Remedy = "Give a file with --in." };

    private static string Named(Modality modality) => modality switch
    {
        Modality.Image => "an image",
        Modality.Video => "a video",
        Modality.Motion => "a motion",
        Modality.Mesh => "a mesh",
        _ => modality.ToString().ToLowerInvariant(),
    };

    /// <summary>The words.</summary>
    /// <exception cref="MediaException">There are none.</exception>
    public string RequireText() => Text ?? throw new MediaException(ErrorCodes.MediaUnsupported, "The prompt needs words.") { Remedy = "Give them with --prompt." };
}

/// <summary>What a generation says on its way.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all; 0 when that is not known.</param>
public abstract record Generation(int Step, int Steps)
{
    /// <summary>True for the last one, which carries the result.</summary>
    public bool IsFinal { get; init; }

    /// <summary>A partial result, the result, or null for progress alone.</summary>
    public abstract Media? Value { get; }
}

/// <summary>What a generation says on its way, typed.</summary>
/// <typeparam name="T">What is generated.</typeparam>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all; 0 when that is not known.</param>
/// <param name="Result">A partial result, the result, or null for progress alone.</param>
public sealed record Generation<T>(int Step, int Steps, T? Result) : Generation(Step, Steps) where T : Media
{
    /// <inheritdoc/>
    public override Media? Value => Result;

    /// <summary>Progress, with a preview or without.</summary>
    public static Generation<T> Progress(int step, int steps, T? preview = null) => new(step, steps, preview);

    /// <summary>The result.</summary>
    public static Generation<T> Final(T result, int steps) => new(steps, steps, result) { IsFinal = true };
}
