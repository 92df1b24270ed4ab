namespace ModelZoo.Networks.Sampling;

/// <summary>A set of ids for each place of what is generated; nothing follows the last.</summary>
/// <param name="sets">Ids of each place.</param>
/// <param name="start">The place of the first generated id.</param>
public sealed class TokenSets(IReadOnlyList<IReadOnlySet<int>> sets, int start = 0) : ITokenConstraint
{
    /// <inheritdoc/>
    public IReadOnlyCollection<int> Allowed(IReadOnlyList<int> generated) => start + generated.Count < sets.Count ? sets[start + generated.Count] : [];
}
