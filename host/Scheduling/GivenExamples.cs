using ModelZoo.Contracts;

namespace ModelZoo.Host.Scheduling;

/// <summary>A batch of examples as a model asks for them one after the other, so that an error can say which it was about.</summary>
internal sealed class GivenExamples(IReadOnlyList<Example> batch)
{
    private int _given;

    /// <summary>The example that an error now is about, in words; the whole batch where the model looked at all of it first. Null when the model asked for none.</summary>
    public string? Place => _given == 0 ? null
        : _given < batch.Count || batch.Count == 1 ? $"example {batch[_given - 1].Id}"
        : $"one of the {batch.Count} examples from {batch[0].Id} to {batch[^1].Id}";

    /// <summary>The examples; who asks for the next one is done with the one before, or collects them.</summary>
    public async IAsyncEnumerable<Example> ToAsyncEnumerable()
    {
        await Task.CompletedTask.ConfigureAwait(false);
        foreach (var example in batch)
        {
            _given++;
            yield return example;
        }
    }
}
