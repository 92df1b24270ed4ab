using System.Diagnostics.Metrics;
using ModelZoo.Conformance;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Serving.Tests;

/// <summary><c>docs/serving.md</c> says what there is.</summary>
public sealed class ServingDocumentTests
{
    private static readonly string Document = File.ReadAllText(Repository.Path("docs", "serving.md"));

    [Fact]
    public void Instruments_EachOfTheMeter_IsNamed()
    {
        var names = new List<string>();
        using var meter = new ModelMeter();
        meter.Observe(() => []);
        meter.ObserveQueues(() => []);
        using var listener = new MeterListener { InstrumentPublished = (instrument, _) => { if (meter.Has(instrument)) names.Add(instrument.Name); } };
        listener.Start();
        Assert.True(names.Count >= 9);
        Assert.All(names, name => Assert.Contains($"`{name}`", Document, StringComparison.Ordinal));
    }

    [Fact]
    public void Settings_DefaultsInTheText_AreThoseOfTheHost()
    {
        var (queue, server) = (new QueueSettings(), new ServerSettings());
        Assert.Contains($"(`concurrency`, {queue.Concurrency})", Document, StringComparison.Ordinal);
        Assert.Contains($"(`limit`, {queue.Limit})", Document, StringComparison.Ordinal);
        Assert.Contains($"(`deadlineSeconds`, {queue.Deadline.TotalSeconds})", Document, StringComparison.Ordinal);
        Assert.Contains($"`batch`, {queue.Batch})", Document, StringComparison.Ordinal);
        Assert.Contains($"({server.BodyLimit >> 20} MB)", Document, StringComparison.Ordinal);
        Assert.Contains($"2^{Math.Log2(server.PixelLimit)} pixels", Document, StringComparison.Ordinal);
        Assert.Contains($"running ones have {server.DrainTime.TotalSeconds} seconds", Document, StringComparison.Ordinal);
    }
}
