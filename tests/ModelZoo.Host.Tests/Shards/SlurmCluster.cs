using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace ModelZoo.Host.Shards.Tests;

/// <summary>A test that runs where Slurm is installed; elsewhere it is skipped, unless it must run, as in CI.</summary>
public sealed class SlurmFactAttribute : FactAttribute
{
    public SlurmFactAttribute()
    {
        if (!SlurmCluster.IsInstalled && Environment.GetEnvironmentVariable("CI") != "true") Skip = "Slurm is not installed: apt-get install slurm-wlm munge";
    }
}

/// <summary>A real Slurm on this machine: a controller and two nodes, each a daemon of its own, all of it in a temporary folder.</summary>
internal sealed class SlurmCluster : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("slurm-").FullName;
    private readonly List<Process> _daemons = [];

    private SlurmCluster()
    {
    }

    public static bool IsInstalled => OperatingSystem.IsLinux() && new[] { "slurmctld", "slurmd", "munged", "sbatch" }.All(name => new[] { "/usr/sbin", "/usr/bin" }.Any(folder => File.Exists(Path.Combine(folder, name))));

    private string Configuration => Path.Combine(_folder, "slurm.conf");

    public static async Task<SlurmCluster> StartAsync(CancellationToken cancel)
    {
        Assert.True(IsInstalled, "apt-get install slurm-wlm munge");
        var cluster = new SlurmCluster();
        try
        {
            cluster.Configure();
            cluster.Start("munged", "--force", "--foreground", $"--socket={cluster.In("munge.sock")}", $"--key-file={cluster.In("munge.key")}", $"--pid-file={cluster.In("munged.pid")}", $"--seed-file={cluster.In("munged.seed")}", $"--log-file={cluster.In("munged.log")}");
            while (!File.Exists(cluster.In("munge.sock"))) await Task.Delay(50, cancel);
            cluster.Start("slurmctld", "-D", "-f", cluster.Configuration);
            cluster.Start("slurmd", "-D", "-N", "node1", "-f", cluster.Configuration);
            cluster.Start("slurmd", "-D", "-N", "node2", "-f", cluster.Configuration);
            while ((await cluster.RunAsync(cancel, "sinfo", "-h", "-t", "idle", "-o", "%D")).Output.Trim() != "2") await Task.Delay(200, cancel);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs one of Slurm's commands, or a script that does.</summary>
    public async Task<(int Code, string Output)> RunAsync(CancellationToken cancel, string command, params string[] arguments)
    {
        using var process = Start(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true });
        var (output, error) = (process.StandardOutput.ReadToEndAsync(cancel), process.StandardError.ReadToEndAsync(cancel));
        await process.WaitForExitAsync(cancel);
        return (process.ExitCode, await output + await error);
    }

    /// <summary>Submits with a script that says the numbers of the array and of the merging job.</summary>
    /// <param name="cancel">Stops waiting.</param>
    /// <param name="arguments">What `env` takes: variables, the script, its arguments.</param>
    public async Task<(string Array, string Merge)> SubmitAsync(CancellationToken cancel, params string[] arguments)
    {
        var (code, output) = await RunAsync(cancel, "env", arguments);
        Assert.True(code == 0, output);
        var jobs = output.Trim().Split(' ');
        return (jobs[0], jobs[1]);
    }

    /// <summary>The node that a task runs on.</summary>
    public async Task<string> NodeOfAsync(string task, CancellationToken cancel) => (await RunAsync(cancel, "squeue", "-h", "-j", task, "-o", "%N")).Output.Trim();

    /// <summary>Waits until a job has ended.</summary>
    public async Task EndAsync(string job, CancellationToken cancel)
    {
        while ((await RunAsync(cancel, "squeue", "-h", "-j", job, "-t", "PD,R,CG,CF")).Output.Trim().Length > 0) await Task.Delay(200, cancel);
    }

    /// <summary>Kills a node's daemon and all that it runs, as a power cut does, and tells the controller, which by itself would find out within minutes.</summary>
    public async Task KillAsync(string node, CancellationToken cancel)
    {
        var daemon = _daemons.Single(process => process.StartInfo.ArgumentList.Contains(node));
        daemon.Kill();
        var work = Environments().Where(process => process.Environment.Contains($"SLURMD_NODENAME={node}") && process.Environment.Contains($"SLURM_CONF={Configuration}")).Select(process => process.Id).ToList();
        Assert.NotEmpty(work);
        // The step's own daemon first, so that it cannot tell how the step ended.
        var steps = work.Select(Parent).OfType<int>().Where(parent => File.ReadAllText($"/proc/{parent}/comm").StartsWith("slurmstepd", StringComparison.Ordinal)).Distinct().ToList();
        foreach (var id in steps.Concat(work)) Kill(id);
        await RunAsync(cancel, "scontrol", "update", $"NodeName={node}", "State=DOWN", "Reason=killed");
    }

    /// <summary>Starts what was queued again now; Slurm itself waits two minutes.</summary>
    public Task HurryAsync(string task, CancellationToken cancel) => RunAsync(cancel, "scontrol", "update", $"JobId={task}", "StartTime=now");

    public async ValueTask DisposeAsync()
    {
        foreach (var daemon in Enumerable.Reverse(_daemons))
        {
            if (!daemon.HasExited) daemon.Kill(entireProcessTree: true);
            await daemon.WaitForExitAsync();
            daemon.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private string In(string name) => Path.Combine(_folder, name);

    private void Configure()
    {
        if (!OperatingSystem.IsLinux()) throw new PlatformNotSupportedException();
        File.WriteAllBytes(In("munge.key"), RandomNumberGenerator.GetBytes(1024));
        File.SetUnixFileMode(In("munge.key"), UnixFileMode.UserRead);
        File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        Directory.CreateDirectory(In("state"));
        var ports = FreePorts(3);
        File.WriteAllText(Configuration, $"""
            ClusterName=modelzoo
            SlurmctldHost={Host}(127.0.0.1)
            SlurmctldPort={ports[0]}
            SlurmUser={Environment.UserName}
            SlurmdUser={Environment.UserName}
            AuthType=auth/munge
            AuthInfo=socket={In("munge.sock")}
            CredType=cred/munge
            StateSaveLocation={In("state")}
            SlurmdSpoolDir={In("spool-%n")}
            SlurmctldPidFile={In("slurmctld.pid")}
            SlurmdPidFile={In("slurmd-%n.pid")}
            SlurmctldLogFile={In("slurmctld.log")}
            SlurmdLogFile={In("slurmd-%n.log")}
            ProctrackType=proctrack/linuxproc
            TaskPlugin=task/none
            SelectType=select/cons_tres
            SelectTypeParameters=CR_Core
            SchedulerParameters=sched_interval=1,bf_interval=1
            SlurmdTimeout=300
            KillWait=1
            SwitchType=switch/none
            MpiDefault=none
            JobAcctGatherType=jobacct_gather/none
            AccountingStorageType=accounting_storage/none
            NodeName=node[1-2] NodeHostname={Host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs=1 RealMemory=500 State=UNKNOWN
            PartitionName=zoo Nodes=node[1-2] Default=YES MaxTime=INFINITE State=UP

            """);
    }

    private static string Host => Dns.GetHostName().Split('.')[0];

    private void Start(string daemon, params string[] arguments) => _daemons.Add(Start(new ProcessStartInfo(Path.Combine("/usr/sbin", daemon), arguments)));

    private Process Start(ProcessStartInfo start)
    {
        start.Environment["SLURM_CONF"] = Configuration;
        return Process.Start(start)!;
    }

    // The nodes' ports are neighbours.
    private static int[] FreePorts(int count)
    {
        for (var first = 20_000 + Environment.ProcessId % 10_000; ; first += count)
        {
            var ports = Enumerable.Range(first, count).ToArray();
            if (Array.TrueForAll(ports, IsFree)) return ports;
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Any, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static IEnumerable<(int Id, string[] Environment)> Environments()
    {
        foreach (var process in Directory.GetDirectories("/proc").Select(Path.GetFileName).Where(name => name!.All(char.IsAsciiDigit)))
        {
            string[] environment;
            try
            {
                environment = File.ReadAllText($"/proc/{process}/environ").Split('\0');
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                continue; // it ended, or is another user's
            }

            yield return (int.Parse(process!, System.Globalization.CultureInfo.InvariantCulture), environment);
        }
    }

    private static int? Parent(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(line => line.StartsWith("PPid:", StringComparison.Ordinal));
        return line is null ? null : int.Parse(line["PPid:".Length..], System.Globalization.CultureInfo.InvariantCulture);
    }

    private static void Kill(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
        }
        catch (ArgumentException)
        {
            // it is gone already
        }
    }
}
