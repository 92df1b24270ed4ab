using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Serving.Tests;

public sealed class ModelRoutesTests
{
    [Fact]
    public async Task Models_AsOpenAiClientsReadThem_HaveIdObjectCreatedOwner()
    {
        await using var server = await TestServer.StartAsync();
        var list = await server.Client.GetFromJsonAsync<JsonElement>("/v1/models");
        var model = list.GetProperty("data").EnumerateArray().Single();
        Assert.Equal(("list", "test/echo", "model", "Good"), (list.GetProperty("object").GetString(), model.GetProperty("id").GetString(), model.GetProperty("object").GetString(), model.GetProperty("owned_by").GetString()));
    }

    [Theory]
    [InlineData("/v1/models/test/echo")]
    [InlineData("/v1/models/test%2Fecho")]
    public async Task Model_SlashAsIsOrEscaped_ShowsVerbsWithSchemas(string path)
    {
        await using var server = await TestServer.StartAsync();
        var model = await server.Client.GetFromJsonAsync<JsonElement>(path);
        var shift = model.GetProperty("opened").GetProperty("verbs").GetProperty("tokenize").GetProperty("schema").GetProperty("properties").GetProperty("shift");
        Assert.Equal((0, 9), (shift.GetProperty("minimum").GetInt32(), shift.GetProperty("maximum").GetInt32()));
    }

    [Fact]
    public async Task Tokenize_JsonFormOrBareBody_SameTokensAndBackToTheText()
    {
        await using var server = await TestServer.StartAsync();
        var (_, json) = await server.PostAsync("/v1/models/test/echo/tokenize", new { input = "añb", options = new { shift = 2 } });
        using var form = new MultipartFormDataContent { { new StringContent("añb"), "input" }, { new StringContent("2"), "shift" } };
        using var fromForm = await server.Client.PostAsync("/v1/models/test/echo/tokenize", form);
        using var fromBody = await server.Client.PostAsync("/v1/models/test/echo/tokenize?shift=2", new StringContent("añb"));
        var ids = json.GetProperty("tokens").GetProperty("ids").GetRawText();
        Assert.Equal("[99,243,100]", ids);
        Assert.Equal(ids, (await fromForm.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("tokens").GetProperty("ids").GetRawText());
        Assert.Equal(ids, (await fromBody.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("tokens").GetProperty("ids").GetRawText());

        using var back = await server.Client.PostAsJsonAsync("/v1/models/test/echo/detokenize", new { input = json.GetProperty("tokens"), options = new { shift = 2 } });
        Assert.Equal(("text/plain", "añb"), (back.Content.Headers.ContentType!.MediaType, await back.Content.ReadAsStringAsync()));
        Assert.Contains("plugin_sha256", back.Headers.GetValues("ModelZoo-Run").Single());
    }

    [Fact]
    public async Task Detokenize_BareIds_AreTakenWhereAModelNeedsNoMore()
    {
        await using var server = await TestServer.StartAsync();
        using var back = await server.Client.PostAsJsonAsync("/v1/models/test/echo/detokenize", new { input = new[] { 97, 241 } });
        Assert.Equal("añ", await back.Content.ReadAsStringAsync());
        var (status, problem) = await server.PostAsync("/v1/models/test/echo/detokenize", new { input = new[] { "item-7" } });
        Assert.Equal(422, status);
        Assert.Contains("item-7", problem.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokenize_AcceptSafetensors_GivesTensorsThatDetokenizeTakesAsBody()
    {
        await using var server = await TestServer.StartAsync();
        using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/models/test/echo/tokenize") { Content = new StringContent("abc"), Headers = { Accept = { new("application/vnd.safetensors") } } };
        using var tokens = await server.Client.SendAsync(ask);
        var body = new ByteArrayContent(await tokens.Content.ReadAsByteArrayAsync()) { Headers = { ContentType = new("application/vnd.safetensors") } };
        using var back = await server.Client.PostAsync("/v1/models/test/echo/detokenize", body);
        Assert.Equal("abc", await back.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Generate_AcceptJson_CarriesOutputSeedAndRun()
    {
        await using var server = await TestServer.StartAsync();
        using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/models/test/echo/generate") { Content = JsonContent.Create(new { prompt = "hi", seed = 5 }), Headers = { Accept = { new("application/json") } } };
        using var answer = await server.Client.SendAsync(ask);
        var json = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(("1.0.0:hi:5", 5), (json.GetProperty("output").GetString(), json.GetProperty("run").GetProperty("seed").GetInt32()));
    }

    [Fact]
    public async Task Generate_AcceptEvents_StreamsQueuedProgressFinal()
    {
        await using var server = await TestServer.StartAsync();
        using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/models/test/echo/generate") { Content = JsonContent.Create(new { prompt = "hi", options = new { delay = 20 } }), Headers = { Accept = { new("text/event-stream") } } };
        using var answer = await server.Client.SendAsync(ask);
        var events = (await answer.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(text => text.Split('\n')[0]).ToList();
        Assert.Equal("event: queued", events[0]);
        Assert.Equal(5, events.Count(name => name == "event: progress"));
        Assert.Equal("event: final", events[^1]);
    }

    [Fact]
    public async Task Generate_ErrorAfterTheStreamBegan_IsAnEventWithTheProblem()
    {
        await using var server = await TestServer.StartAsync();
        using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/models/test/nothing/generate") { Content = JsonContent.Create(new { prompt = "hi" }), Headers = { Accept = { new("text/event-stream") } } };
        using var answer = await server.Client.SendAsync(ask);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.Contains("event: error\ndata: {", text);
        Assert.Contains("\"code\":\"model.unknown\"", text);
    }

    [Fact]
    public async Task Generate_ClientGoesAway_FreesItsPlaceWithinAStep()
    {
        await using var server = await TestServer.StartAsync(queue: new QueueSettings { Concurrency = 1, Limit = 1, Deadline = TimeSpan.FromSeconds(30) });
        using var gone = new CancellationTokenSource(TimeSpan.FromMilliseconds(1500));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => server.Client.PostAsJsonAsync("/v1/models/test/echo/generate", new { prompt = "long", options = new { delay = 10_000 } }, gone.Token));
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var (status, _) = await server.PostAsync("/v1/models/test/echo/tokenize", new { input = "next" });
        Assert.Equal(200, status);
        Assert.True(watch.ElapsedMilliseconds < 5000, $"{watch.ElapsedMilliseconds} ms");
    }

    [Fact]
    public async Task Queue_Full_Answers429WithRetryAfter()
    {
        await using var server = await TestServer.StartAsync(queue: new QueueSettings { Concurrency = 1, Limit = 1, Deadline = TimeSpan.FromSeconds(30) });
        using var stop = new CancellationTokenSource();
        var slow = Enumerable.Range(0, 2).Select(_ => server.Client.PostAsJsonAsync("/v1/models/test/echo/generate", new { prompt = "long", options = new { delay = 10_000 } }, stop.Token)).ToList();
        HttpResponseMessage refused;
        for (var tries = 0; ; tries++)
        {
            using var limit = new CancellationTokenSource(300); // the two may not have arrived yet, and then this one waits in line
            try
            {
                refused = await server.Client.PostAsJsonAsync("/v1/models/test/echo/tokenize", new { input = "x" }, limit.Token);
                if (refused.StatusCode != System.Net.HttpStatusCode.OK) break;
            }
            catch (OperationCanceledException) when (tries < 50)
            {
            }
        }

        Assert.Equal((System.Net.HttpStatusCode)429, refused.StatusCode);
        Assert.True(refused.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(slow));
    }

    [Theory]
    [InlineData("/v1/models/test/eco/tokenize", "text/plain", "x", 404, "model.unknown")]
    [InlineData("/v1/models/no-slash/tokenize", "text/plain", "x", 404, "model.unknown")]
    [InlineData("/v1/models/test/echo/tokenize", "application/json", "{", 400, "request.malformed")]
    [InlineData("/v1/models/test/echo/tokenize", "application/json", "[]", 400, "request.malformed")]
    [InlineData("/v1/models/test/echo/tokenize", "application/json", "{\"inptu\":\"x\"}", 400, "request.malformed")]
    [InlineData("/v1/models/test/echo/tokenize", "application/json", "{}", 422, "media.unsupported")]
    [InlineData("/v1/models/test/echo/tokenize", "application/json", "{\"input\":{\"type\":\"audio/wav\",\"data\":\"?\"}}", 422, "media.malformed")]
    [InlineData("/v1/models/test/echo/tokenize", "application/json", "{\"input\":{\"type\":\"audio/wav\",\"data\":\"AAAA\"}}", 422, "media.malformed")]
    [InlineData("/v1/models/test/echo/tokenize", "application/json", "{\"input\":\"x\",\"options\":{\"shift\":10}}", 422, "options.out-of-range")]
    [InlineData("/v1/models/test/echo/tokenize", "application/json", "{\"input\":\"x\",\"options\":{\"shfit\":1}}", 422, "options.unknown")]
    [InlineData("/v1/models/test/echo/tokenize", "application/json", "{\"input\":\"x\",\"seed\":-1}", 400, "request.malformed")]
    [InlineData("/v1/models/test/echo/tokenize", "application/zip", "x", 415, "request.media-type")]
    [InlineData("/v1/models/test/echo/detokenize", "application/json", "{\"input\":\"x\"}", 422, "media.unsupported")]
    [InlineData("/v1/models/test/echo/evaluate", "application/json", "{\"data\":\"../x\"}", 400, "request.path")]
    [InlineData("/v1/models/test/echo/evaluate", "application/json", "{\"data\":\"/etc\"}", 400, "request.path")]
    [InlineData("/v1/models/test/echo/evaluate", "application/json", "{\"data\":\"none\"}", 422, "dataset.invalid")]
    [InlineData("/v1/models/test/echo/evaluate", "application/json", "{\"date\":\"x\"}", 400, "request.malformed")]
    [InlineData("/v1/nothing", "text/plain", "x", 404, "request.path")]
    [InlineData("/live", "text/plain", "x", 405, "request.method")]
    public async Task BadRequests_SayWhatIsWrong_WithStatusAndCode(string path, string type, string body, int status, string code)
    {
        await using var server = await TestServer.StartAsync();
        using var answer = await server.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, type));
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal((status, code, "application/problem+json"), ((int)answer.StatusCode, problem.GetProperty("code").GetString(), answer.Content.Headers.ContentType!.MediaType));
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task Body_OverTheLimit_Is413AndTheServerLives()
    {
        await using var server = await TestServer.StartAsync(settings => settings with { BodyLimit = 1000 });
        using var answer = await server.Client.PostAsync("/v1/models/test/echo/tokenize", new StringContent(new string('x', 2000)));
        Assert.Equal(413, (int)answer.StatusCode);
        Assert.Equal(200, (int)(await server.Client.GetAsync("/live")).StatusCode);
    }

    [Fact]
    public async Task Picture_OverThePixelLimit_IsRefused()
    {
        await using var server = await TestServer.StartAsync(settings => settings with { PixelLimit = 100 });
        using var png = new MemoryStream();
        Media.PngWriter.Write(png, new(Contracts.Tensor.Zeros<float>(3, 20, 20)));
        var body = new ByteArrayContent(png.ToArray()) { Headers = { ContentType = new("image/png") } };
        using var answer = await server.Client.PostAsync("/v1/models/test/echo/tokenize", body);
        Assert.Contains("too large", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Accept_WhatIsNotOffered_Is406()
    {
        await using var server = await TestServer.StartAsync();
        using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/models/test/echo/tokenize") { Content = new StringContent("abc"), Headers = { Accept = { MediaTypeWithQualityHeaderValue.Parse("image/png") } } };
        using var answer = await server.Client.SendAsync(ask);
        Assert.Equal(406, (int)answer.StatusCode);
        Assert.Contains("application/json or application/vnd.safetensors", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}
