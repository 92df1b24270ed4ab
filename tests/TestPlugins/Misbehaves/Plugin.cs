using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(Misbehaves.Plugin))]

namespace Misbehaves;

/// <summary>Does wrong what it is asked to do wrong.</summary>
public sealed class Plugin : IModelPlugin
{
    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        new(new ModelCard { Id = "test/misbehaves", Paper = "Misbehaviour", Authors = ["Nobody"], Inputs = [Modality.Text], Outputs = [Modality.Text] }, (_, _) => ValueTask.FromResult<IModel>(new Model())),
        new(new ModelCard { Id = "test/unopenable", Paper = "Misbehaviour", Authors = ["Nobody"], Inputs = [Modality.Text], Outputs = [Modality.Text] }, (_, _) => throw new InvalidOperationException("it does not open")),
    ];
}

public sealed record Options : ModelOptions
{
    [Description("throw, pool, thread, task, spin, fail-fast, leak, or nothing.")]
    public string Mode { get; init; } = "nothing";
}

public sealed class Model : IModel, IGenerate<Text, Options>, ITokenize<Text, Options>
{
    public ModelFacts Facts => new();

    public async IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, Options options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        switch (options.Mode)
        {
            case "throw":
                throw new InvalidOperationException("it cannot be done");
            case "pool":
                ThreadPool.UnsafeQueueUserWorkItem(_ => throw new InvalidOperationException("nobody waits for this"), null);
                break;
            case "thread":
                new Thread(() => throw new InvalidOperationException("nobody waits for this")).Start();
                break;
            case "task":
                _ = Task.Run(() => throw new InvalidOperationException("nobody looks at this"));
                break;
            case "spin": // until there is a file of that name
                while (!System.IO.File.Exists(prompt.Text)) Thread.Sleep(1);
                break;
            case "fail-fast":
                Environment.FailFast("the end");
                break;
            case "leak":
                _ = open(prompt.Text!, 0);
                break;
        }

        await Task.Yield();
        yield return Generation<Text>.Final(new Text(options.Mode), 1);
    }

    /// <summary>One token, at once; for "spin" when there is a file of the text's name.</summary>
    public ValueTask<Tokens> TokenizeAsync(Text text, Options options, CancellationToken cancel = default)
    {
        while (options.Mode == "spin" && !System.IO.File.Exists(text.Value)) Thread.Sleep(1);
        return ValueTask.FromResult(new Tokens(new("test/misbehaves", TokenLayout.Flat, [int.MaxValue], ""), Tensor.Create(new[] { Environment.CurrentManagedThreadId }, 1)));
    }

    public ValueTask<Text> DetokenizeAsync(Tokens tokens, Options options, CancellationToken cancel = default) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [DllImport("libc", CharSet = CharSet.Ansi)]
    private static extern int open(string path, int flags);
}
