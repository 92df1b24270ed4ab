using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Serving;

/// <summary>The host's instruments in Prometheus' text format (version 0.0.4): counters and histograms are summed as they are recorded, what is observed is read when asked for. Names are those that OTLP's exporters give them.</summary>
internal sealed class PrometheusText : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<(Instrument Instrument, string Labels), Series> _series = new();
    private readonly Lock _reading = new();

    // The same series by the values of their labels alone, whose names an instrument always gives in the same order: each request looks several up.
    private readonly ConcurrentDictionary<(Instrument Instrument, object? First, object? Second, object? Third), Series> _known = new();

    public PrometheusText(ModelMeter meter)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (meter.Has(instrument)) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Find(instrument, tags).Add(value));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Find(instrument, tags).Add(value));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Find(instrument, tags).Add(value));
        _listener.Start();
    }

    /// <summary>All series as text.</summary>
    public string Write()
    {
        lock (_reading)
        {
            foreach (var observed in _series.Keys.Where(key => key.Instrument.IsObservable)) _series.TryRemove(observed, out _);
            _listener.RecordObservableInstruments();
            var text = new StringBuilder();
            foreach (var instrument in _series.GroupBy(pair => pair.Key.Instrument).OrderBy(group => group.Key.Name, StringComparer.Ordinal))
            {
                var name = NameOf(instrument.Key);
                var kind = BoundsOf(instrument.Key) is not null ? "histogram" : instrument.Key is Counter<long> ? "counter" : "gauge";
                text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {instrument.Key.Description}\n# TYPE {name} {kind}\n");
                foreach (var (key, series) in instrument.OrderBy(pair => pair.Key.Labels, StringComparer.Ordinal)) series.Write(text, name, key.Labels);
            }

            return text.ToString();
        }
    }

    public void Dispose() => _listener.Dispose();

    private Series Find(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (instrument.IsObservable || tags.Length > 3) return Named(instrument, tags);
        var key = (instrument, Value(tags, 0), Value(tags, 1), Value(tags, 2));
        return _known.TryGetValue(key, out var series) ? series : _known.GetOrAdd(key, Named(instrument, tags));
    }

    private static object? Value(ReadOnlySpan<KeyValuePair<string, object?>> tags, int i) => i < tags.Length ? tags[i].Value : null;

    private Series Named(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = new StringBuilder();
        foreach (var (name, value) in tags) labels.Append(labels.Length == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $"{name}=\"{Escape(value?.ToString() ?? "")}\"");
        return _series.GetOrAdd((instrument, labels.ToString()), static key => new(BoundsOf(key.Instrument)));
    }

    // Null for what is no histogram.
    private static double[]? BoundsOf(Instrument instrument) => instrument switch
    {
        Histogram<double> histogram => [.. histogram.Advice!.HistogramBucketBoundaries!],
        Histogram<long> histogram => [.. histogram.Advice!.HistogramBucketBoundaries!.Select(bound => (double)bound)],
        _ => null,
    };

    private static string NameOf(Instrument instrument)
    {
        var unit = instrument.Unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
        var name = instrument.Name.Replace('.', '_');
        return (name.EndsWith(unit, StringComparison.Ordinal) ? name : name + unit) + (instrument is Counter<long> ? "_total" : "");
    }

    private static string Escape(string value) => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private sealed class Series(double[]? bounds)
    {
        private readonly Lock _lock = new();
        private readonly long[] _buckets = new long[bounds?.Length ?? 0];
        private double _sum;
        private long _count;

        public void Add(double value)
        {
            lock (_lock)
            {
                _sum += value;
                _count++;
                for (var i = 0; i < _buckets.Length; i++)
                {
                    if (value <= bounds![i]) _buckets[i]++;
                }
            }
        }

        public void Write(StringBuilder text, string name, string labels)
        {
            lock (_lock)
            {
                if (bounds is null)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{name}{(labels.Length == 0 ? "" : $"{{{labels}}}")} {_sum}\n");
                    return;
                }

                var comma = labels.Length == 0 ? "" : ",";
                for (var i = 0; i < bounds.Length; i++) text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{comma}le=\"{bounds[i]}\"}} {_buckets[i]}\n");
                text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {_count}\n{name}_sum{{{labels}}} {_sum}\n{name}_count{{{labels}}} {_count}\n");
            }
        }
    }
}
