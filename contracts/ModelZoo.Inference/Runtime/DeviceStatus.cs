namespace ModelZoo.Inference;

/// <summary>A device and whether it can be used.</summary>
/// <param name="Device">The device.</param>
/// <param name="Problem">Why it cannot be used; null when it can.</param>
public sealed record DeviceStatus(Device Device, string? Problem)
{
    /// <summary>True when sessions can run on it.</summary>
    public bool IsAvailable => Problem is null;
}
