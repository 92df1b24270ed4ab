using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers;

namespace ModelZoo.Benchmarks.Serving;

/// <summary>
/// What serving costs. One request alone: a text of 1 kB tokenized by a call in this process, and by a real <c>modelzoo serve</c> over the loopback, one after the other in one run, so that both see the same machine. Then many requests at 64 at
/// once: errors, throughput, tail and the memory of the server before and after.
/// </summary>
internal static class ServerLoad
{
    private const int Alone = 4000, AtOnce = 64, AnswerBytes = 4096;

    public static async Task RunAsync(string model, string checkpoint, int requests, TextWriter output)
    {
        await using var server = await ServedProcess.StartAsync("TextTokenizers", model, checkpoint, concurrency: AtOnce);
        await using var direct = await OpenAsync(model, checkpoint);
        var text = string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog. ", 23))[..1000];
        var path = $"/v1/models/{model}/tokenize";
        var body = Encoding.UTF8.GetBytes(text);
        var (json, compact) = (RawConnection.Request("POST", path, "application/json", "text/plain", body), RawConnection.Request("POST", path, "application/vnd.safetensors", "text/plain", body));
        await CompareAsync(server, direct.Get<ITokenize>(), text, path, json, compact, output);
        await LoadAsync(server, json, requests, output);
    }

    private static async Task<IModel> OpenAsync(string model, string checkpoint)
    {
        var id = ModelId.Parse(model);
        var architecture = new TextTokenizersPlugin().Architectures.Single(candidate => candidate.Card.Id == id.WithoutTag.ToString());
        return await architecture.Open(new() { Id = id, Folder = Path.GetFullPath(checkpoint), Services = HostServices.Instance }, CancellationToken.None);
    }

    private static async Task CompareAsync(ServedProcess server, ITokenize tokenizer, string text, string path, byte[] json, byte[] compact, TextWriter output)
    {
        using var raw = RawConnection.Open(server.Address);
        using var client = new HttpClient { BaseAddress = server.Address };
        var defaults = tokenizer.TokenizeOptions.Defaults;
        var live = RawConnection.Request("GET", "/live", "*/*", "", []);
        using var echo = await BareServer.StartAsync("echo", AnswerBytes);
        using var kestrel = await BareServer.StartAsync("kestrel", AnswerBytes);
        using var toEcho = RawConnection.Open(echo.Address);
        using var toKestrel = RawConnection.Open(kestrel.Address);
        (Times Times, Func<Task> Call)[] calls =
        [
            (new("a call in this process"), async () => await tokenizer.TokenizeAsync(new Text(text), defaults)),
            (new("the same bytes over TCP, a thread at each end"), () => Send(toEcho, json)),
            (new("the same bytes, a handler in bare Kestrel"), () => Send(toKestrel, json)),
            (new("GET /live, which runs no model"), () => Send(raw, live)),
            (new("tokenize, ids as JSON"), () => Send(raw, json)),
            (new("tokenize, ids as tensors"), () => Send(raw, compact)),
            (new("tokenize, ids as JSON, by HttpClient"), () => PostAsync(client, path, text)),
        ];
        for (var i = -Alone / 2; i < Alone; i++) // the first half warms up
        {
            foreach (var (times, call) in calls) await (i < 0 ? call() : times.AddAsync(call));
        }

        output.WriteLine($"a text of {text.Length} characters, one request at a time, {Alone} of each in turn:");
        foreach (var (times, _) in calls) output.WriteLine($"  {times}{(times == calls[0].Times ? "" : string.Create(CultureInfo.InvariantCulture, $"; over the call: p50 {times.At(0.5) - calls[0].Times.At(0.5):0} µs"))}");
    }

    private static async Task LoadAsync(ServedProcess server, byte[] request, int requests, TextWriter output)
    {
        var (times, gate, left, errors) = (new Times("  times"), new Lock(), requests, 0);
        var (before, started) = (0L, 0L);
        foreach (var measured in new[] { false, true }) // the first tenth warms up, and is not counted
        {
            left = measured ? requests : requests / 10;
            server.Process.Refresh();
            (before, started) = (server.Process.WorkingSet64, Stopwatch.GetTimestamp());
            await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async _ =>
            {
                using var connection = await RawConnection.OpenAsync(server.Address);
                while (Interlocked.Decrement(ref left) >= 0)
                {
                    var sent = Stopwatch.GetTimestamp();
                    var status = await connection.SendAsync(request);
                    if (status != 200) Interlocked.Increment(ref errors);
                    if (!measured) continue;
                    lock (gate) times.Add(Stopwatch.GetElapsedTime(sent));
                }
            }));
        }

        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        server.Process.Refresh();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{requests} requests, {AtOnce} at once: {errors} errors, {requests / seconds:0} a second, the server's memory {before >> 20} MB before and {server.Process.WorkingSet64 >> 20} MB after"));
        output.WriteLine(times);
    }

    private static Task Send(RawConnection connection, byte[] request) =>
        connection.Send(request) is 200 ? Task.CompletedTask : throw new InvalidOperationException("The server did not answer 200.");

    private static async Task PostAsync(HttpClient client, string path, string text)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(text)) { Headers = { ContentType = new MediaTypeHeaderValue("text/plain") } };
        using var answer = await client.PostAsync(path, content);
        answer.EnsureSuccessStatusCode();
        await answer.Content.CopyToAsync(Stream.Null);
    }
}
