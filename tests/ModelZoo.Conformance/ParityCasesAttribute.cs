using System.Reflection;
using ModelZoo.Networks.Parity;
using Xunit.Sdk;

namespace ModelZoo.Conformance;

/// <summary>
/// The parity cases of an architecture, or of a whole family: those of <c>tests/parity</c>, of <c>../shared/parity</c> when that is there, and of the folders in the environment variable <c>MODELZOO_PARITY</c>.
/// </summary>
/// <param name="model"><c>family/architecture</c>, or <c>family</c> for all of its architectures.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ParityCasesAttribute(string model) : DataAttribute
{
    /// <summary>One <see cref="ParityCase"/> a row.</summary>
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => Find(model).Select(@case => new object[] { @case });

    /// <summary>The cases of an architecture or a family, each name once.</summary>
    /// <param name="model"><c>family/architecture</c>, or <c>family</c>.</param>
    /// <param name="shared">False takes those of <c>tests/parity</c> alone, one an architecture.</param>
    public static IReadOnlyList<ParityCase> Find(string model, bool shared = true) =>
    [
        .. Roots().Take(shared ? int.MaxValue : 1).Select(root => Path.Combine([root, .. model.Split('/')])).Where(Directory.Exists).SelectMany(ParityCase.Find).Select(ParityCase.Load).DistinctBy(@case => @case.Name),
    ];

    /// <summary>The committed cases of a family whose checkpoint leaves a choice of file or key, without what the case says of it: a folder as published opens by itself, and with the right copy of the weights.</summary>
    /// <param name="family">The family.</param>
    public static IReadOnlyList<ParityCase> AsPublished(string family) =>
        [.. Find(family, shared: false).Where(@case => @case.Checkpoint.Count > 1 || @case.Checkpoint.Any(part => part.Key is not null)).Select(@case => @case with { Checkpoint = [] })];

    private static IEnumerable<string> Roots()
    {
        if (Repository.Root is not null)
        {
            yield return Repository.Path("tests", "parity");
            yield return Repository.Path("..", "shared", "parity");
        }

        foreach (var root in (Environment.GetEnvironmentVariable("MODELZOO_PARITY") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)) yield return root;
    }
}
