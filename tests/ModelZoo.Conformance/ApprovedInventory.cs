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

    private static long Elements(string line) => line[(line.IndexOf('[') + 1)..^1].Split(", ", StringSplitOptions.RemoveEmptyEntries).Aggregate(1L, static (product, extent) => product * long.Parse(extent, System.Globalization.CultureInfo.InvariantCulture));
}
