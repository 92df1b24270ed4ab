namespace ModelZoo.Contracts;

/// <summary>
/// The calls of the authors' own interface (encode, decode, forward, sample...) on raw tensors, with the marked stages among the results. Parity cases are run through it, and so is anything that speaks tensors.
/// </summary>
public interface IReferenceCalls
{
    /// <summary>Runs a call and gives every named output that it has, stages included, in order of computation.</summary>
    /// <exception cref="ModelZooException">The call or an argument is not known (<see cref="ErrorCodes.VerbUnsupported"/>): the case counts as unsupported.</exception>
    ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default);
}
