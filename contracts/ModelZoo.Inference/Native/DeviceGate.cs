namespace ModelZoo.Inference.Native;

/// <summary>
/// Lets one thread at a time use a device whose driver is not made for more. All WebGPU sessions of a process share one command encoder in the engine, so they take turns;
/// the other devices need no gate.
/// </summary>
internal readonly struct DeviceGate
{
    private static readonly Lock WebGpu = new();
    private readonly Lock? _lock;

    private DeviceGate(Lock? gate) => _lock = gate;

    /// <summary>The gate of a device.</summary>
    public static DeviceGate Of(Device device) => new(device.Kind == DeviceKind.WebGpu ? WebGpu : null);

    /// <summary>Waits for the device.</summary>
    public Turn Enter()
    {
        _lock?.Enter();
        return new(_lock);
    }

    /// <summary>The time in which the device is one's own.</summary>
    public readonly ref struct Turn(Lock? gate)
    {
        public void Dispose() => gate?.Exit();
    }
}
