using System.Net.Http.Json;
using System.Text.Json;

namespace ModelZoo.Host.Serving.Tests;

public sealed class EvaluationJobsTests
{
    private static async Task<JsonElement> EndAsync(TestServer server, string id)
    {
        for (var i = 0; i < 300; i++)
        {
            var job = await server.Client.GetFromJsonAsync<JsonElement>($"/v1/jobs/{id}");
            if (job.GetProperty("state").GetString() != "running") return job;
            await Task.Delay(50);
        }

        throw new TimeoutException();
    }

    private static void Write(TestServer server, params string[] names)
    {
        foreach (var name in names) File.WriteAllText(Path.Combine(server.Folder, "data", name), "text");
    }

    [Fact]
    public async Task Submit_DataSet_EndsWithFiguresThatAreKept()
    {
        await using var server = await TestServer.StartAsync();
        Write(server, "a.txt", "b.txt");
        using var answer = await server.Client.PostAsJsonAsync("/v1/models/test/echo/evaluate", new { data = "." });
        Assert.Equal(202, (int)answer.StatusCode);
        var id = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString()!;
        Assert.Equal($"/v1/jobs/{id}", answer.Headers.Location!.OriginalString);
        var job = await EndAsync(server, id);
        Assert.Equal("done", job.GetProperty("state").GetString());
        var groups = job.GetProperty("result").GetProperty("metrics")[0].GetProperty("groups");
        Assert.Equal((4.0, 8.0), (groups.GetProperty("once").GetProperty("value").GetDouble(), groups.GetProperty("twice").GetProperty("value").GetDouble()));
        Assert.Single(Directory.GetFiles(Path.Combine(server.Folder, "jobs")));
        var events = await server.Client.GetStringAsync($"/v1/jobs/{id}/events");
        Assert.StartsWith("event: final\n", events);
    }

    [Fact]
    public async Task Submit_UnknownMetric_FailsWithTheProblem()
    {
        await using var server = await TestServer.StartAsync();
        Write(server, "a.txt");
        var (_, submitted) = await server.PostAsync("/v1/models/test/echo/evaluate", new { data = ".", metrics = new[] { "lenght" } });
        var job = await EndAsync(server, submitted.GetProperty("id").GetString()!);
        Assert.Equal(("failed", "metric.unknown"), (job.GetProperty("state").GetString(), job.GetProperty("error").GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Data_LinkOutOfTheFolder_IsRefused()
    {
        await using var server = await TestServer.StartAsync();
        Directory.CreateSymbolicLink(Path.Combine(server.Folder, "data", "away"), "/etc");
        var (status, problem) = await server.PostAsync("/v1/models/test/echo/evaluate", new { data = "away" });
        Assert.Equal((400, "request.path"), (status, problem.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Start_AfterAKill_MarksWhatRanAsInterruptedAndKeepsResults()
    {
        var folder = Directory.CreateTempSubdirectory("server-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "jobs"));
        File.WriteAllText(Path.Combine(folder, "jobs", "20260101T000000-aaaaaaaa.json"), """{"id":"20260101T000000-aaaaaaaa","state":"running"}""");
        File.WriteAllText(Path.Combine(folder, "jobs", "20260101T000000-bbbbbbbb.json"), """{"id":"20260101T000000-bbbbbbbb","state":"done","result":{"n":1}}""");
        File.WriteAllText(Path.Combine(folder, "jobs", "20260101T000000-cccccccc.json"), "{ torn");
        await using var server = await TestServer.StartAsync(folder: folder);
        Assert.Equal("interrupted", (await server.Client.GetFromJsonAsync<JsonElement>("/v1/jobs/20260101T000000-aaaaaaaa")).GetProperty("state").GetString());
        Assert.Equal(1, (await server.Client.GetFromJsonAsync<JsonElement>("/v1/jobs/20260101T000000-bbbbbbbb")).GetProperty("result").GetProperty("n").GetInt32());
        using var torn = await server.Client.GetAsync("/v1/jobs/20260101T000000-cccccccc");
        Assert.Equal(404, (int)torn.StatusCode);
    }

    [Theory]
    [InlineData(3600, "done", null)]
    [InlineData(1, "failed", "request.deadline")]
    public async Task Start_AfterAKill_KeepsPriorityAndDeadlineOfTheJob(double timeout, string state, string? code)
    {
        var folder = Directory.CreateTempSubdirectory("server-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "jobs"));
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        File.WriteAllText(Path.Combine(folder, "data", "a.txt"), "text");
        File.WriteAllText(Path.Combine(folder, "jobs", "20260101T000000-aaaaaaaa.json"), JsonSerializer.Serialize(new
        {
            id = "20260101T000000-aaaaaaaa", state = "running", model = "test/echo", data = ".", attempt = 1, seed = 0, options = new { }, priority = 2, timeout, submitted = DateTimeOffset.UtcNow.AddMinutes(-1),
        }));
        await using var server = await TestServer.StartAsync(folder: folder);
        var job = await EndAsync(server, "20260101T000000-aaaaaaaa");
        Assert.Equal((state, code), (job.GetProperty("state").GetString(), job.GetProperty("error") is { ValueKind: JsonValueKind.Object } error ? error.GetProperty("code").GetString() : null));
        Assert.Equal((2, timeout, 2), (job.GetProperty("priority").GetInt32(), job.GetProperty("timeout").GetDouble(), job.GetProperty("attempt").GetInt32()));
    }

    [Fact]
    public async Task Submit_TimeoutThatPasses_FailsTheJob()
    {
        await using var server = await TestServer.StartAsync();
        for (var i = 0; i < 20; i++) Write(server, $"{i}.txt");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/models/test/echo/evaluate") { Content = JsonContent.Create(new { data = ".", options = new { suffix = "1.txt" } }), Headers = { { "Request-Timeout", "0.000001" } } };
        using var answer = await server.Client.SendAsync(request);
        var job = await EndAsync(server, (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString()!);
        Assert.Equal("request.deadline", job.GetProperty("error").GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("nothing", 404)]
    [InlineData("..%2F..%2Fetc", 404)]
    public async Task Job_Unknown_Is404(string id, int status)
    {
        await using var server = await TestServer.StartAsync();
        using var answer = await server.Client.GetAsync($"/v1/jobs/{id}");
        Assert.Equal(status, (int)answer.StatusCode);
    }
}
