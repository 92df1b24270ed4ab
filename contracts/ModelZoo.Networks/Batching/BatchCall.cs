using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>A call of a network that waits to be run, perhaps with others.</summary>
/// <param name="inputs">Its inputs by name.</param>
/// <param name="cancel">Gives it up.</param>
internal class BatchCall(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancel)
{
    /// <summary>Its inputs by name.</summary>
    public IReadOnlyDictionary<string, Tensor> Inputs => inputs;

    /// <summary>Gives it up.</summary>
    public CancellationToken Cancel => cancel;

    /// <summary>Whose step it is: requests are known by their cancellation tokens where they have one.</summary>
    public virtual object Request => cancel;

    /// <summary>True when its request is known to come back with a next step.</summary>
    public bool Loops { get; set; }

    /// <summary>First extent of its inputs.</summary>
    public long Rows { get; } = inputs.Values.First().Shape[0];

    /// <summary>Where its outputs go.</summary>
    public TaskCompletionSource<IReadOnlyDictionary<string, Tensor>> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>True when the inputs of both differ in nothing but the number of rows.</summary>
    public bool Fits(BatchCall other)
    {
        foreach (var (name, tensor) in inputs)
        {
            if (!other.Inputs.TryGetValue(name, out var theirs) || theirs.Type != tensor.Type || !theirs.Shape[1..].SequenceEqual(tensor.Shape[1..])) return false;
        }

        return inputs.Count == other.Inputs.Count;
    }
}
