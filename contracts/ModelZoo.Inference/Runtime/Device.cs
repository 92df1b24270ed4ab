using System.Globalization;
using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>The kinds of device that a session can run on.</summary>
public enum DeviceKind
{
    /// <summary>The best that answers: CUDA, then WebGPU, then the processor.</summary>
    Auto,
    /// <summary>The processor.</summary>
    Cpu,
    /// <summary>A GPU through Vulkan, Direct3D 12 or Metal.</summary>
    WebGpu,
    /// <summary>An NVIDIA GPU through CUDA.</summary>
    Cuda,
    /// <summary>An NVIDIA GPU through TensorRT, with CUDA for what TensorRT lacks.</summary>
    TensorRt,
}

/// <summary>A device by kind and number, written <c>cpu</c>, <c>webgpu</c>, <c>cuda:1</c>, <c>tensorrt</c> or <c>auto</c>.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Index">Its number among those of the kind.</param>
public readonly record struct Device(DeviceKind Kind, int Index = 0) : ISpanParsable<Device>
{
    /// <summary>The processor.</summary>
    public static Device Cpu { get; } = new(DeviceKind.Cpu);

    /// <summary>The first GPU through WebGPU.</summary>
    public static Device WebGpu { get; } = new(DeviceKind.WebGpu);

    /// <summary>The first GPU through CUDA.</summary>
    public static Device Cuda { get; } = new(DeviceKind.Cuda);

    /// <summary>The best device that answers.</summary>
    public static Device Auto { get; } = new(DeviceKind.Auto);

    /// <summary>Reads a device from text.</summary>
    /// <exception cref="OptionsException">It is not the name of a device.</exception>
    public static Device Parse(string text) =>
        TryParse(text, null, out var device) ? device : throw new OptionsException(ErrorCodes.OptionType, "This is not the name of a device.")
        { Where = "device", Expected = "cpu, webgpu[:n], cuda[:n], tensorrt[:n] or auto", Found = text };

    /// <inheritdoc/>
    public static Device Parse(string s, IFormatProvider? provider) => Parse(s);

    /// <inheritdoc/>
    public static Device Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => Parse(s.ToString());

    /// <inheritdoc/>
    public static bool TryParse(string? s, IFormatProvider? provider, out Device result) => TryParse(s.AsSpan(), provider, out result);

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out Device result)
    {
        result = default;
        var colon = s.IndexOf(':');
        var index = 0;
        if (colon >= 0 && !int.TryParse(s[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out index)) return false;
        DeviceKind? kind = (colon < 0 ? s : s[..colon]).ToString().ToLowerInvariant() switch
        {
            "auto" when colon < 0 => DeviceKind.Auto,
            "cpu" when colon < 0 => DeviceKind.Cpu,
            "webgpu" => DeviceKind.WebGpu,
            "cuda" => DeviceKind.Cuda,
            "tensorrt" => DeviceKind.TensorRt,
            _ => null,
        };
        if (kind is null) return false;
        result = new(kind.Value, index);
        return true;
    }

    /// <summary>The name that <see cref="Parse(string)"/> reads.</summary>
    public override string ToString() => Kind.ToString().ToLowerInvariant() + (Index > 0 ? $":{Index}" : "");
}
