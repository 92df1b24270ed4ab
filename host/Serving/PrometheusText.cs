using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Serving;

/// <summary>
/// The host's instruments in Prometheus' text format (version 0.0.4). Counters and histograms of the meter <c>ModelZoo</c> are summed as they are recorded; gauges of memory are read when asked for.
/// </summary>
internal sealed class PrometheusText : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    // Seconds, from a text tokenizer's call to a long generation; counts such as batch sizes fall into them as well.
    private static readonly double[] Bounds = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<(Instrument Instrument, string Labels), Series> _series = new();
    private readonly ModelPool _pool;

    public PrometheusText(ModelPool pool)
    {
        _pool = pool;
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == Scheduling.ModelMeter.Name) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Find(instrument, tags).Add(value));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Find(instrument, tags).Add(value));
        _listener.Start();
    }

    /// <summary>All series as text.</summary>
    public string Write()
    {
        var text = new StringBuilder();
        foreach (var instrument in _series.GroupBy(pair => pair.Key.Instrument).OrderBy(group => group.Key.Name, StringComparer.Ordinal))
        {
            var histogram = instrument.Key is Histogram<double> or Histogram<long>;
            var name = NameOf(instrument.Key);
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {instrument.Key.Description}\n# TYPE {name} {(histogram ? "histogram" : instrument.Key is Counter<long> ? "counter" : "gauge")}\n");
            foreach (var (key, series) in instrument.OrderBy(pair => pair.Key.Labels, StringComparer.Ordinal)) series.Write(text, name, key.Labels, histogram);
        }

        WriteMemory(text);
        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    private void WriteMemory(StringBuilder text)
    {
        text.Append("# HELP modelzoo_model_bytes Bytes of open models: mapped files, private memory, and devices.\n# TYPE modelzoo_model_bytes gauge\n");
        foreach (var resident in _pool.Residents)
        {
            if (resident.Memory is not { } memory) continue;
            foreach (var (kind, bytes) in new[] { ("mapped", memory.Mapped), ("private", memory.Private), ("device", memory.Device) })
                text.Append(CultureInfo.InvariantCulture, $"modelzoo_model_bytes{{model=\"{Escape(resident.Id.ToString())}\",device=\"{Escape(resident.Source.Device)}\",kind=\"{kind}\"}} {bytes}\n");
        }
    }

    private Series Find(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = new StringBuilder();
        foreach (var (name, value) in tags) labels.Append(labels.Length == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $"{name}=\"{Escape(value?.ToString() ?? "")}\"");
        return _series.GetOrAdd((instrument, labels.ToString()), static _ => new());
    }

    private static string NameOf(Instrument instrument)
    {
        var unit = instrument.Unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
        return instrument.Name.Replace('.', '_') + unit + (instrument is Counter<long> ? "_total" : "");
    }

    private static string Escape(string value) => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private sealed class Series
    {
        private readonly Lock _lock = new();
        private readonly long[] _buckets = new long[Bounds.Length];
        private double _sum;
        private long _count;

        public void Add(double value)
        {
            lock (_lock)
            {
                _sum += value;
                _count++;
                for (var i = 0; i < Bounds.Length; i++)
                {
                    if (value <= Bounds[i]) _buckets[i]++;
                }
            }
        }

        public void Write(StringBuilder text, string name, string labels, bool histogram)
        {
            lock (_lock)
            {
                if (!histogram)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{name}{(labels.Length == 0 ? "" : $"{{{labels}}}")} {_sum}\n");
                    return;
                }

                var comma = labels.Length == 0 ? "" : ",";
                for (var i = 0; i < Bounds.Length; i++) text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{comma}le=\"{Bounds[i]}\"}} {_buckets[i]}\n");
                text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {_count}\n{name}_sum{{{labels}}} {_sum}\n{name}_count{{{labels}}} {_count}\n");
            }
        }
    }
}
