using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components;

/// <summary>A part without weights: named calls, each a pure function.</summary>
internal sealed class ComputedPart(IReadOnlyDictionary<string, Func<CallArguments, CallResults>> calls) : IModel, IReferenceCalls
{
    public ModelFacts Facts { get; } = new();

    public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => calls.TryGetValue(call, out var compute)
        ? ValueTask.FromResult(compute(arguments))
        : throw new ModelZooException(ErrorCodes.VerbUnsupported, "The part has no such call.") { Expected = string.Join(", ", calls.Keys), Found = call };

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>The architecture of a part whose calls need nothing but their arguments.</summary>
    public static ModelArchitecture Architecture(string id, string paper, string reference, Modality gives, params (string Name, Func<CallArguments, CallResults> Compute)[] calls)
    {
        var table = calls.ToDictionary(call => call.Name, call => call.Compute);
        return new(Card(id, paper, reference, gives), (_, _) => ValueTask.FromResult<IModel>(new ComputedPart(table)));
    }

    /// <summary>The card of a hidden part.</summary>
    public static ModelCard Card(string id, string paper, string reference, Modality gives) => new()
    {
        Id = id, Paper = paper, Authors = [], Repository = reference, Inputs = [Modality.Tensors], Outputs = [gives], Hidden = true,
    };
}
