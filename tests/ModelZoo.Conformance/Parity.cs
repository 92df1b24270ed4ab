using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;
using Xunit.Sdk;

namespace ModelZoo.Conformance;

/// <summary>Runs parity cases in a test, without the host.</summary>
public static class Parity
{
    /// <summary>Fails the test, saying which outputs differ, unless the plugin reproduces the case.</summary>
    public static Task VerifyAsync<TPlugin>(ParityCase @case) where TPlugin : IModelPlugin, new() => VerifyAsync(new TPlugin(), @case);

    /// <summary>Fails the test, saying which outputs differ, unless the plugin reproduces the case.</summary>
    public static async Task VerifyAsync(IModelPlugin plugin, ParityCase @case)
    {
        var runner = new ParityRunner(id => plugin.Architectures.FirstOrDefault(architecture => architecture.Card.Id == id.ToString()), HostServices.Instance);
        var report = await runner.RunAsync(@case);
        if (report.Status != ParityStatus.Pass) throw new XunitException(Describe(report));
    }

    private static string Describe(ParityReport report)
    {
        var text = new StringBuilder($"{report.Case}: {report.Status}. {report.Message}").AppendLine();
        foreach (var output in report.Outputs)
            text.AppendLine(FormattableString.Invariant($"  {(output.Passes ? "ok  " : "FAIL")} {output.Name}: {output.Difference:0.##e+0}, allowed {(output.Exact ? "none" : output.Tolerance.ToString("0.##e+0", System.Globalization.CultureInfo.InvariantCulture))}"));
        return text.ToString();
    }
}
