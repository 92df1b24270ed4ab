using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Serving;

/// <summary>How the server listens and what it takes.</summary>
internal sealed record ServerSettings
{
    /// <summary>The address to listen on. Any other than the loopback needs keys.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port of HTTP/1.1; 0 takes a free one.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>The port of gRPC (HTTP/2); null for none.</summary>
    public int? GrpcPort { get; init; }

    /// <summary>The keys that open the server; empty on the loopback opens it to everybody on this machine.</summary>
    public AccessKeys Keys { get; init; } = AccessKeys.None;

    /// <summary>Where the keys are read from when the configuration is read again; null for those that it was started with.</summary>
    public KeySource? KeySource { get; init; }

    /// <summary>The collector that metrics and traces go to by OTLP; null for what the environment says.</summary>
    public string? Otlp { get; init; }

    /// <summary>The folder that data sets of evaluations lie in; requests name paths within it.</summary>
    public string DataFolder { get; init; } = Environment.CurrentDirectory;

    /// <summary>Where results of evaluations are kept.</summary>
    public string JobFolder { get; init; } = Path.Combine(Hosting.Zoo.StateFolder, "jobs");

    /// <summary>Largest body of a request in bytes.</summary>
    public long BodyLimit { get; init; } = 256L << 20;

    /// <summary>Most pixels of a picture that a request may bring.</summary>
    public long PixelLimit { get; init; } = 1L << 26;

    /// <summary>Connections at a time; further ones wait in the system's queue.</summary>
    public int ConnectionLimit { get; init; } = 1024;

    /// <summary>How long the headers of a request may take to come.</summary>
    public TimeSpan HeaderTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection may lie without a request.</summary>
    public TimeSpan IdleTime { get; init; } = TimeSpan.FromSeconds(130);

    /// <summary>Least bytes a second in which a body must come, and an answer be taken, after a time of grace; who is slower is cut off.</summary>
    public MinDataRate DataRate { get; init; } = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));

    /// <summary>How long running requests may take when the server stops.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>True when only this machine can reach it.</summary>
    public bool IsLoopback => IPAddress.IsLoopback(Address);

    /// <summary>Refuses settings that would open the machine to strangers.</summary>
    /// <exception cref="OptionsException">An address beyond the loopback without both kinds of keys.</exception>
    public ServerSettings Checked()
    {
        if (!IsLoopback && !(Keys.HasUsers && Keys.HasAdministrators))
        {
            throw new OptionsException(ErrorCodes.OptionRange, $"{Address} can be reached from other machines, so that the server needs keys.")
            { Where = "--address", Expected = $"keys in {KeySource.UserVariable} and other ones for the administrator in {KeySource.AdministratorVariable}", Remedy = "Set both variables (several keys with commas), or listen on 127.0.0.1." };
        }

        return this;
    }
}
