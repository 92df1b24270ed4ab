using System.Net.Http.Json;
using System.Text.Json;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>OpenAI's routes as its clients call them.</summary>
public sealed class OpenAiTests
{
    [Fact]
    public async Task Chat_OneMessage_IsThePromptAndTheAnswerHasTheClientsFields()
    {
        await using var server = await TestServer.StartAsync();
        var (status, answer) = await server.PostAsync("/v1/chat/completions", new { model = "test/echo", seed = 3, user = "me", messages = new[] { new { role = "user", content = "hi" } } });
        var choice = answer.GetProperty("choices")[0];
        Assert.Equal((200, "chat.completion", "1.0.0:hi:3", "stop"), (status, answer.GetProperty("object").GetString(), choice.GetProperty("message").GetProperty("content").GetString(), choice.GetProperty("finish_reason").GetString()));
        Assert.Equal((2, 10, 12), (answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), answer.GetProperty("usage").GetProperty("total_tokens").GetInt32()));
    }

    [Fact]
    public async Task Chat_Conversation_IsWrittenOut()
    {
        await using var server = await TestServer.StartAsync();
        var (_, answer) = await server.PostAsync("/v1/chat/completions", new { model = "test/echo", messages = new object[] { new { role = "system", content = "be kind" }, new { role = "user", content = new[] { new { type = "text", text = "hi" } } } } });
        Assert.Equal("1.0.0:system: be kind\nuser: hi\nassistant::0", answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Theory]
    [InlineData("/v1/chat/completions", """{"model":"test/echo","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}""", "chat.completion.chunk")]
    [InlineData("/v1/completions", """{"model":"test/echo","stream":true,"stream_options":{"include_usage":true},"prompt":"hi"}""", "text_completion")]
    public async Task Stream_EndsWithUsageAndDone(string path, string body, string kind)
    {
        await using var server = await TestServer.StartAsync();
        using var answer = await server.Client.PostAsync(path, new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        var events = (await answer.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line["data: ".Length..]).ToList();
        Assert.Equal("[DONE]", events[^1]);
        var chunks = events.SkipLast(1).Select(text => JsonDocument.Parse(text).RootElement).ToList();
        Assert.All(chunks, chunk => Assert.Equal(kind, chunk.GetProperty("object").GetString()));
        Assert.Equal(0, chunks[^1].GetProperty("choices").GetArrayLength());
        Assert.Equal(12, chunks[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.Equal("stop", chunks[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.All(chunks.SkipLast(1), chunk => Assert.Equal(JsonValueKind.Null, chunk.GetProperty("usage").ValueKind));
        if (kind != "text_completion") Assert.Equal(["assistant"], chunks.SkipLast(1).Select(chunk => chunk.GetProperty("choices")[0].GetProperty("delta")).Where(delta => delta.TryGetProperty("role", out _)).Select(delta => delta.GetProperty("role").GetString()));
    }

    [Fact]
    public async Task Errors_OfKeysAndRoutes_HaveTheFormOfTheirProtocol()
    {
        await using var server = await TestServer.StartAsync(settings => settings with { Keys = new(["k"], ["a"]) });
        var (status, answer) = await server.PostAsync("/v1/chat/completions", new { model = "test/echo" });
        Assert.Equal((401, "access.key"), (status, answer.GetProperty("error").GetProperty("code").GetString()));
        (status, answer) = await server.PostAsync("/v2/models/test/echo/infer", new { });
        Assert.Equal((401, JsonValueKind.String), (status, answer.GetProperty("error").ValueKind));
        (status, answer) = await server.PostAsync("/v1/models/test/echo/tokenize", new { });
        Assert.Equal((401, "access.key"), (status, answer.GetProperty("code").GetString()));
    }

    [Theory]
    [InlineData("\"b, c\"", "a b, c")] // one text, whatever stands in it, as OpenAI has it
    [InlineData("[\"x\", \"c\"]", "a b,")]
    [InlineData("\"b,\"", "a")]
    public async Task Complete_Stop_IsATextOrAListOfTexts(string stop, string expected)
    {
        var folder = Directory.CreateTempSubdirectory("server-").FullName; // goes with the server
        await using var server = await TestServer.StartAsync(folder: folder, manifest: new HostManifest { Plugins = [new(TestPlugins.Build("Studio", Path.Combine(folder, "plugins")), "test")] });
        var (_, answer) = await server.PostAsync("/v1/completions", new { model = "test/story", prompt = "a b, c", max_tokens = 3, stop = JsonSerializer.Deserialize<JsonElement>(stop) });
        Assert.Equal(expected, answer.GetProperty("choices")[0].GetProperty("text").GetString());
    }

    [Theory]
    [InlineData("/v1/chat/completions", """{"model":"test/none","messages":[{"role":"user","content":"hi"}]}""", 404, "model.unknown", null)]
    [InlineData("/v1/chat/completions", """{"messages":[]}""", 400, "request.malformed", "messages")]
    [InlineData("/v1/chat/completions", """{"model":"test/echo","messages":[{"role":"user","content":"hi"}],"temperature":0.5}""", 400, "options.unknown", "temperature")]
    [InlineData("/v1/completions", """{"model":"test/echo","prompt":"hi","n":2}""", 400, "options.out-of-range", "n")]
    [InlineData("/v1/completions", """{"model":7,"prompt":"hi"}""", 400, "request.malformed", "model")]
    [InlineData("/v1/images/generations", """{"model":"test/echo","prompt":"hi"}""", 400, "verb.unsupported", null)]
    [InlineData("/v1/audio/speech", """{"model":"test/echo","input":"hi","voice":"x","response_format":"mp3"}""", 400, "options.out-of-range", "response_format")]
    [InlineData("/v1/embeddings", """{"model":"test/echo","input":["hi"]}""", 400, "verb.unsupported", null)]
    [InlineData("/v1/embeddings", "{", 400, "request.malformed", null)]
    public async Task Errors_HaveOpenAisFourFields(string path, string body, int status, string code, string? parameter)
    {
        await using var server = await TestServer.StartAsync();
        using var answer = await server.Client.PostAsync(path, new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        var error = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal((status, code, parameter), ((int)answer.StatusCode, error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        Assert.NotEmpty(error.GetProperty("type").GetString()!);
    }
}
