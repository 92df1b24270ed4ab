using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Host.Models;
using Microsoft.Extensions.DependencyInjection;

namespace ModelZoo.Host.Serving.Tests;

public sealed class OperationRoutesTests
{
    [Fact]
    public async Task Ready_PluginServes_SaysSoWithParity()
    {
        await using var server = await TestServer.StartAsync();
        using var answer = await server.Client.GetAsync("/ready");
        var json = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal((200, "ready"), ((int)answer.StatusCode, json.GetProperty("plugins").GetProperty("Good").GetString()));
    }

    [Theory]
    [InlineData("/ready")]
    [InlineData("/v2/health/ready")]
    public async Task Ready_NoPluginServes_Is503InEveryProtocol(string path)
    {
        var folder = Directory.CreateTempSubdirectory("server-").FullName;
        var broken = Path.Combine(folder, "Broken.dll");
        File.WriteAllText(broken, "no assembly");
        await using var server = await TestServer.StartAsync(folder: folder, manifest: new() { Plugins = [new(broken, "test")] });
        using var answer = await server.Client.GetAsync(path);
        Assert.Equal(503, (int)answer.StatusCode);
    }

    [Fact]
    public async Task Metrics_AfterRequests_CountsThemByModelVerbAndOutcome()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/v1/models/test/echo/tokenize", new { input = "x" });
        await server.PostAsync("/v1/models/made/up-name/tokenize", new { input = "x" });
        var text = await server.Client.GetStringAsync("/metrics");
        Assert.Contains("modelzoo_request_duration_seconds_count{model=\"test/echo\",verb=\"tokenize\",outcome=\"ok\"} 1\n", text);
        Assert.Contains("modelzoo_request_duration_seconds_count{model=\"unknown\",verb=\"tokenize\",outcome=\"model.unknown\"} 1\n", text);
        Assert.Contains("modelzoo_model_bytes{model=\"test/echo\",device=\"cpu\",kind=\"private\"} 1000\n", text);
        Assert.DoesNotContain("made/up", text);
        Assert.Contains("modelzoo_tokens_total{model=\"test/echo\",verb=\"tokenize\"} 1\n", text);
        Assert.Contains("modelzoo_queue_duration_seconds_count{model=\"test/echo\",verb=\"tokenize\"} 1\n", text);
        Assert.Contains("modelzoo_load_duration_seconds_count{model=\"test/echo\"} 1\n", text);
    }

    [Fact]
    public async Task Admin_LoadAndUnload_OpensAndLetsGo()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/v1/admin/models/test/echo/load", new { });
        Assert.Single(server.Services.GetRequiredService<ModelPool>().Residents);
        var (_, json) = await server.PostAsync("/v1/admin/models/test/echo/unload", new { });
        Assert.Equal("unloaded", json.GetProperty("state").GetString());
        Assert.Empty(server.Services.GetRequiredService<ModelPool>().Residents);
    }

    [Theory]
    [InlineData(null, "/live", 200)]
    [InlineData(null, "/v1/models", 401)]
    [InlineData("wrong", "/v1/models", 401)]
    [InlineData("user", "/v1/models", 200)]
    [InlineData("admin", "/v1/models", 200)]
    [InlineData(null, "/v1/admin/plugins", 401)]
    [InlineData("user", "/v1/admin/plugins", 403)]
    [InlineData("admin", "/v1/admin/plugins", 200)]
    [InlineData(null, "/metrics", 401)]
    public async Task Keys_Given_OpenWhatTheyAreFor(string? key, string path, int status)
    {
        await using var server = await TestServer.StartAsync(settings => settings with { Keys = new(["user"], ["admin"]) });
        if (key is not null) server.Client.DefaultRequestHeaders.Authorization = new("Bearer", key);
        using var answer = await server.Client.GetAsync(path);
        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Theory]
    [InlineData("Origin", "https://evil.example")]
    [InlineData("Origin", "null")]
    [InlineData("Host", "evil.example")]
    public async Task Loopback_RequestOfAnotherSitesPage_IsRefused(string header, string value)
    {
        await using var server = await TestServer.StartAsync();
        using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/models/test/echo/tokenize") { Content = new StringContent("abc") };
        ask.Headers.TryAddWithoutValidation(header, value);
        using var answer = await server.Client.SendAsync(ask);
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    [Fact]
    public void Settings_OtherAddressWithoutBothKeys_AreRefused()
    {
        var open = new ServerSettings { Address = IPAddress.Any };
        Assert.Throws<OptionsException>(() => open.Checked());
        Assert.Throws<OptionsException>(() => (open with { Keys = new(["user"], []) }).Checked());
        Assert.Equal(IPAddress.Any, (open with { Keys = new(["user"], ["admin"]) }).Checked().Address);
    }

    [Fact]
    public async Task RequestId_OfTheClient_ComesBackAlsoWithErrors()
    {
        await using var server = await TestServer.StartAsync();
        using var ask = new HttpRequestMessage(HttpMethod.Get, "/nothing") { Headers = { { "X-Request-Id", "mine-1" } } };
        using var answer = await server.Client.SendAsync(ask);
        Assert.Equal(("mine-1", "nosniff"), (answer.Headers.GetValues("X-Request-Id").Single(), answer.Headers.GetValues("X-Content-Type-Options").Single()));
    }

    [Fact]
    public async Task Stop_WhileARequestRuns_LetsItEnd()
    {
        await using var server = await TestServer.StartAsync();
        var running = server.Client.PostAsJsonAsync("/v1/models/test/echo/generate", new { prompt = "x", options = new { delay = 200 } });
        await Task.Delay(400);
        await server.StopAsync();
        Assert.Equal("1.0.0:x:0", await (await running).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task OpenApi_Document_NamesEveryVerb()
    {
        await using var server = await TestServer.StartAsync();
        var paths = (await server.Client.GetFromJsonAsync<JsonElement>("/openapi/v1.json")).GetProperty("paths");
        foreach (var path in new[] { "/v1/models", "/v1/models/{family}/{name}", "/v1/jobs/{id}", "/live" }) Assert.True(paths.TryGetProperty(path, out _), path);
        foreach (var verb in new[] { "tokenize", "detokenize", "generate", "evaluate" }) Assert.True(paths.TryGetProperty($"/v1/models/{{family}}/{{name}}/{verb}", out _), verb);
        foreach (var path in new[] { "/v1/models/{family}/{name}/generate", "/v1/images/generations" })
        {
            var operation = paths.GetProperty(path).GetProperty("post");
            Assert.Equal(["Request-Priority", "Request-Timeout"], operation.GetProperty("parameters").EnumerateArray().Where(parameter => parameter.GetProperty("in").GetString() == "header").Select(parameter => parameter.GetProperty("name").GetString()).Order());
            Assert.True(operation.GetProperty("responses").TryGetProperty("504", out _));
        }

        Assert.True(paths.TryGetProperty("/v1/admin/reload", out _));
    }
}
