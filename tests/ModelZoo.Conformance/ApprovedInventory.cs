using ModelZoo.Contracts;
using Xunit.Sdk;

namespace ModelZoo.Conformance;

/// <summary>
/// The tensors that a published size needs (<c>Network.Inventory</c>: <c>name [shape]</c> a line) beside the text that was approved: <c>tests/PROJECT/Inventories/SIZE.txt</c>. A size without text writes it and fails, to be read
/// and approved.
/// </summary>
public static class ApprovedInventory
{
    /// <summary>Fails the test unless the lines are the approved ones; gives the number of parameters, for the authors' own count.</summary>
    /// <param name="project">The test project's folder.</param>
    /// <param name="size">Name of the size, such as <c>dit.xl-2</c>.</param>
    /// <param name="lines">The tensors.</param>
    public static long Verify(string project, string size, IReadOnlyCollection<string> lines)
    {
        var parameters = lines.Sum(Elements);
        var file = Repository.Path("tests", project, "Inventories", size + ".txt");
        if (!File.Exists(file))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllLines(file, lines);
            throw new XunitException($"{file} was not there: {parameters} parameters in {lines.Count} tensors are written.");
        }

        Xunit.Assert.Equal(File.ReadAllLines(file), lines);
        return parameters;
    }

    /// <summary>Fails the test unless each architecture of a plugin has an inventory or a reason why it has none, never both, and each size on a card has its inventory: so that what is missing cannot grow silently.</summary>
    /// <param name="published">Architecture and name of each size with an inventory.</param>
    /// <param name="reasons">One sentence for each architecture without one.</param>
    public static void CoversAll<TPlugin>(IEnumerable<(string Architecture, string Name)> published, IReadOnlyDictionary<string, string> reasons) where TPlugin : IModelPlugin, new()
    {
        var (names, cards) = (published.ToHashSet(), new TPlugin().Architectures.Select(architecture => architecture.Card).ToList());
        var covered = names.Select(size => size.Architecture).ToHashSet();
        string[] broken =
        [
            .. cards.Where(card => !covered.Contains(card.Id) && !reasons.ContainsKey(card.Id)).Select(card => $"{card.Id} has no inventory of a published size, and no reason is given."),
            .. reasons.Keys.Where(id => covered.Contains(id) || cards.All(card => card.Id != id)).Select(id => $"{id} needs no reason: it has an inventory, or is not there."),
            .. reasons.Where(reason => !reason.Value.EndsWith('.')).Select(reason => $"The reason of {reason.Key} is not a sentence."),
            .. cards.SelectMany(card => card.Sizes.Where(size => !names.Contains((card.Id, size.Name))).Select(size => $"{card.Id} says {size.Name} on its card, which has no inventory.")),
        ];
        Xunit.Assert.True(broken.Length == 0, string.Join('\n', broken));
    }

    private static long Elements(string line) => line[(line.IndexOf('[') + 1)..^1].Split(", ", StringSplitOptions.RemoveEmptyEntries).Aggregate(1L, static (product, extent) => product * long.Parse(extent, System.Globalization.CultureInfo.InvariantCulture));
}
