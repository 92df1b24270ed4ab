using System.Net.Http.Headers;
using System.Text.Json;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>The real server on disks of 1 MB that are full: a mount namespace of its own has them, where the system lets its users make one.</summary>
public sealed class FullDiskTests : IDisposable
{
    private const string Mount = """mkdir -p "$0/state/jobs" "$0/tmp" && mount -t tmpfs -o size=1m tmpfs "$0/state/jobs" && mount -t tmpfs -o size=1m tmpfs "$0/tmp" && export TMPDIR="$0/tmp" && exec "$@" """;

    private readonly string _folder = Directory.CreateTempSubdirectory("full-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task JobsAndUploads_DiskFull_AreRefusedOrKeptAndTheServerGoesOn()
    {
        if (!OperatingSystem.IsLinux() || await RealServer.StartAsync(_folder, "unshare", "--map-root-user", "--mount", "sh", "-c", Mount, _folder) is not { } server) return;
        await using var _ = server;
        for (var i = 0; i < 10; i++) File.WriteAllText(Path.Combine(_folder, "data", $"{i}.txt"), "text");
        var inside = $"/proc/{server.Process.Id}/root{_folder}"; // as the server sees it
        string jobs = Path.Combine(inside, "state", "jobs"), room = Path.Combine(jobs, "filled");

        var running = (await server.SubmitAsync(delay: 100)).Job.GetProperty("id").GetString()!;
        Fill(room);
        Fill(Path.Combine(inside, "tmp", "filled"));
        var (status, problem) = await server.SubmitAsync(delay: 0);
        Assert.Equal((507, "output.failed"), (status, problem.GetProperty("code").GetString()));

        // The job that ran meanwhile has its result, though no file has it.
        var ended = await server.JobAsync(running, job => job.GetProperty("state").GetString() == "done");
        Assert.Equal(10, ended.GetProperty("result").GetProperty("data").GetProperty("examples").GetInt32());
        Assert.Equal("running", Kept(jobs, running));
        Assert.Equal([running + ".json", "filled"], Directory.GetFiles(jobs).Select(Path.GetFileName).Order(StringComparer.Ordinal));

        // An upload larger than the disk is none of its business.
        using var form = new MultipartFormDataContent { { new ByteArrayContent(new byte[3 << 20]) { Headers = { ContentType = new MediaTypeHeaderValue("text/plain") } }, "file", "a.txt" } };
        using var answer = await server.Client.PostAsync("/v1/models/test/echo/generate", form);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());

        // Sound that goes through a file for ffmpeg finds no room, and says so.
        using var sound = new ByteArrayContent(new byte[3 << 20]) { Headers = { ContentType = new MediaTypeHeaderValue("audio/mpeg") } };
        using var refused = await server.Client.PostAsync("/v1/models/test/echo/tokenize", sound);
        Assert.Equal(507, (int)refused.StatusCode);

        File.Delete(room);
        Assert.Equal(202, (await server.SubmitAsync(delay: 0)).Status);
        await server.JobAsync(running, _ => Kept(jobs, running) == "done");
    }

    private static string? Kept(string jobs, string id) => JsonDocument.Parse(File.ReadAllText(Path.Combine(jobs, id + ".json"))).RootElement.GetProperty("state").GetString();

    private static void Fill(string path)
    {
        using var file = File.Create(path, 1);
        foreach (var size in new[] { 65536, 4096, 1 })
        {
            try
            {
                while (true) file.Write(new byte[size]);
            }
            catch (IOException)
            {
                // this much does not fit any more
            }
        }
    }
}
