using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>Finds out which devices answer, by making a session of one operator on each.</summary>
internal static class DeviceProbe
{
    private static readonly (string Provider, DeviceKind Kind)[] Known =
    [
        ("CUDAExecutionProvider", DeviceKind.Cuda), ("TensorrtExecutionProvider", DeviceKind.TensorRt), ("WebGpuExecutionProvider", DeviceKind.WebGpu), ("CPUExecutionProvider", DeviceKind.Cpu),
    ];

    /// <summary>The state of the first device of each kind that the library knows, best first.</summary>
    public static IReadOnlyList<DeviceStatus> Run(InferenceRuntime runtime)
    {
        var providers = runtime.Providers();
        return [.. from known in Known where providers.Contains(known.Provider) select Try(runtime, new(known.Kind))];
    }

    /// <summary>The state of one device.</summary>
    public static DeviceStatus Try(InferenceRuntime runtime, Device device)
    {
        if (device.Kind == DeviceKind.Cpu) return new(device, null);
        var graph = new GraphDefinition { Name = $"probe of {device}" };
        graph.Inputs.Add(new("x", ElementType.Float32, [4]));
        graph.Outputs.Add(new("y", ElementType.Float32, [4]));
        graph.Nodes.Add(new("Add", "", "probe", ["x", "x"], ["y"], new Dictionary<string, object>()));
        try
        {
            using var session = Session.CreateOn(device, runtime, new() { Device = device }, graph);
            session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Zeros<float>(4) });
            return new(device, null) { IsSoftware = device.Kind == DeviceKind.WebGpu && !runtime.HasGpu() };
        }
        catch (ModelZooException e)
        {
            return new(device, Reason(e.Message));
        }
    }

    // The engine puts the place in its source before what happened.
    private static string Reason(string message) => message.IndexOf("Failed to", StringComparison.Ordinal) is var start and >= 0 ? message[start..] : message;
}
