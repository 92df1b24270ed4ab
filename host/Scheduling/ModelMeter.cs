using System.Diagnostics;
using System.Diagnostics.Metrics;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Scheduling;

/// <summary>The host's instruments: what <c>/metrics</c> and OTLP both read. Labels hold names of models that exist only, because clients can make up any number of others.</summary>
internal sealed class ModelMeter : IDisposable
{
    /// <summary>Name of the meter, and of the source of spans.</summary>
    public const string Name = "ModelZoo";

    // Seconds, from a text tokenizer's call to a long generation.
    private static readonly InstrumentAdvice<double> Times = new() { HistogramBucketBoundaries = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300] };

    private static readonly InstrumentAdvice<long> Sizes = new() { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64] };

    private readonly Meter _meter = new(Name, Hosting.Zoo.Version);
    private readonly UpDownCounter<long> _running;
    private readonly Histogram<double> _request;
    private readonly Histogram<double> _queue;
    private readonly Histogram<double> _load;
    private readonly Histogram<long> _batch;
    private readonly Counter<long> _steps;
    private readonly Counter<long> _tokens;

    public ModelMeter()
    {
        _running = _meter.CreateUpDownCounter<long>("modelzoo.requests.running", description: "Requests that wait or run.");
        _request = _meter.CreateHistogram("modelzoo.request.duration", "s", "Time from request to result, waiting included.", advice: Times);
        _queue = _meter.CreateHistogram("modelzoo.queue.duration", "s", "Time that a request waited for its turn before it ran.", advice: Times);
        _load = _meter.CreateHistogram("modelzoo.load.duration", "s", "Time that opening a model took.", advice: Times);
        _batch = _meter.CreateHistogram("modelzoo.batch.size", description: "Requests that a run of a network with independent rows took together.", advice: Sizes);
        _steps = _meter.CreateCounter<long>("modelzoo.steps", description: "Steps of generations.");
        _tokens = _meter.CreateCounter<long>("modelzoo.tokens", description: "Tokens that models made (tokenize) or took (detokenize).");
    }

    /// <summary>Spans of requests and their parts; nobody listens unless an exporter is on.</summary>
    public static ActivitySource Spans { get; } = new(Name, Hosting.Zoo.Version);

    /// <summary>True for the instruments of this meter, and not of another of the same name.</summary>
    public bool Has(Instrument instrument) => instrument.Meter == _meter;

    /// <summary>Says what the pool holds whenever somebody reads.</summary>
    public void Observe(Func<IEnumerable<Measurement<long>>> bytes) => _meter.CreateObservableUpDownCounter("modelzoo.model.bytes", bytes, "By", "Bytes of open models: mapped files, private memory, and devices.");

    /// <summary>Says how many requests run on each model and wait for it, whenever somebody reads.</summary>
    public void ObserveQueues(Func<IEnumerable<Measurement<int>>> requests) => _meter.CreateObservableUpDownCounter("modelzoo.queue.length", requests, description: "Requests that run on a model or wait for it; a model that nobody asks for has none.");

    public void Began() => _running.Add(1);

    public void Ended(string model, string verb, string outcome, TimeSpan time)
    {
        _running.Add(-1);
        _request.Record(time.TotalSeconds, new("model", model), new("verb", verb), new("outcome", outcome));
    }

    public void Waited(ModelId model, string verb, TimeSpan time) => _queue.Record(time.TotalSeconds, new("model", model.ToString()), new("verb", verb));

    public void Loaded(ModelId model, TimeSpan time) => _load.Record(time.TotalSeconds, new KeyValuePair<string, object?>("model", model.ToString()));

    public void Batched(int size) => _batch.Record(size);

    public void Stepped(ModelId model) => _steps.Add(1, new KeyValuePair<string, object?>("model", model.ToString()));

    public void Counted(ModelId model, string verb, long tokens) => _tokens.Add(tokens, new("model", model.ToString()), new("verb", verb));

    public void Dispose() => _meter.Dispose();
}
