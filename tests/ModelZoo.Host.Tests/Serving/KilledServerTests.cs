using System.Net.Http.Json;
using System.Text.Json;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>A server that is killed in the middle of its work, and started again.</summary>
public sealed class KilledServerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("killed-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string State(JsonElement job) => job.GetProperty("state").GetString()!;

    private void Write(int examples)
    {
        Directory.CreateDirectory(Path.Combine(_folder, "data"));
        for (var i = 0; i < examples; i++) File.WriteAllText(Path.Combine(_folder, "data", $"{i:00}.txt"), new string('a', i));
    }

    [Fact]
    public async Task Kill_InTheMiddleOfAJob_BeginsItAgainAndLosesNone()
    {
        Write(12);
        string ended, running;
        JsonElement before;
        await using (var server = (await RealServer.StartAsync(_folder))!)
        {
            ended = (await server.SubmitAsync(delay: 0)).Job.GetProperty("id").GetString()!;
            before = await server.JobAsync(ended, job => State(job) == "done");
            running = (await server.SubmitAsync(delay: 100)).Job.GetProperty("id").GetString()!;
            await server.JobAsync(running, job => job.GetProperty("done").GetInt32() >= 3);
            await server.KillAsync();
        }

        await using (var server = (await RealServer.StartAsync(_folder))!)
        {
            var again = await server.JobAsync(running, job => State(job) == "done");
            Assert.Equal((2, 12), (again.GetProperty("attempt").GetInt32(), again.GetProperty("result").GetProperty("data").GetProperty("examples").GetInt32()));
            Assert.Equal(before.GetProperty("result").GetProperty("metrics").GetRawText(), again.GetProperty("result").GetProperty("metrics").GetRawText());
            Assert.Equal(before.GetProperty("result").GetRawText(), (await server.JobAsync(ended, _ => true)).GetProperty("result").GetRawText());
            Assert.Equal(2, (await server.Client.GetFromJsonAsync<JsonElement>("/v1/jobs")).GetProperty("data").GetArrayLength());
            Assert.Empty(Directory.GetFiles(Path.Combine(_folder, "state", "jobs"), "*.partial"));
        }
    }

    [Fact]
    public async Task Kill_OfEveryAttempt_LeavesTheJobInterrupted()
    {
        Write(12);
        var id = "";
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            await using var server = (await RealServer.StartAsync(_folder))!;
            if (attempt == 1) id = (await server.SubmitAsync(delay: 1000)).Job.GetProperty("id").GetString()!;
            await server.JobAsync(id, job => job.GetProperty("attempt").GetInt32() == attempt && job.GetProperty("done").GetInt32() >= 1);
            await server.KillAsync();
        }

        await using var last = (await RealServer.StartAsync(_folder))!;
        Assert.Equal("interrupted", State(await last.JobAsync(id, _ => true)));
    }
}
