namespace ModelZoo.Inference;

/// <summary>A device and whether it can be used.</summary>
/// <param name="Device">The device.</param>
/// <param name="Problem">Why it cannot be used; null when it can.</param>
public sealed record DeviceStatus(Device Device, string? Problem)
{
    /// <summary>True when sessions can run on it.</summary>
    public bool IsAvailable => Problem is null;

    /// <summary>True for a GPU that is only played by the processor (SwiftShader, llvmpipe): good for tests, never chosen by <c>auto</c>.</summary>
    public bool IsSoftware { get; init; }

    /// <summary>What to install or set so that it can be used; null when it can.</summary>
    public string? Remedy => IsAvailable ? null : Device.Kind switch
    {
        DeviceKind.WebGpu => "Install a driver for Vulkan (Linux), or update the graphics driver.",
        _ => "Build with -p:OnnxRuntimeNative=cuda, or set MODELZOO_ONNXRUNTIME to the CUDA build of ONNX Runtime; CUDA and cuDNN must be installed.",
    };
}
