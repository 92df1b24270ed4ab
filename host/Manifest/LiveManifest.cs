namespace ModelZoo.Host.Manifest;

/// <summary>The manifest as it stands. It is replaced whole when its files are read again, so that whoever asks for several of its values takes them from one <see cref="Current"/>.</summary>
internal sealed class LiveManifest(HostManifest first)
{
    private HostManifest _current = first;

    /// <summary>The manifest that counts now.</summary>
    public HostManifest Current => Volatile.Read(ref _current);

    /// <summary>How requests wait for a model.</summary>
    public QueueSettings Queue => Current.Queue ?? QueueSettings.Default;

    /// <summary>When plugins are put into quarantine.</summary>
    public QuarantineSettings Quarantine => Current.Quarantine ?? QuarantineSettings.Default;

    /// <summary>Puts another manifest in its place.</summary>
    public void Replace(HostManifest manifest) => Volatile.Write(ref _current, manifest);
}
