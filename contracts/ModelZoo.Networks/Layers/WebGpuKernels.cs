using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>
/// Kernels of ONNX Runtime 1.30 for WebGPU that give wrong numbers, as found by running parity cases over software Vulkan; layers go round them, which <c>WebGpuLayersTests</c> holds.
/// </summary>
internal static class WebGpuKernels
{
    /// <summary>Fused attention: beyond 32 queries rows are mixed, at least on devices that compute by fours.</summary>
    public static bool AttendsWrongly(Graph graph) => IsOn(graph);

    /// <summary>Convolutions in groups take four outputs at a time, also where a group ends within them.</summary>
    public static bool MixesGroups(Graph graph, long groups, long outputsOfGroup) => IsOn(graph) && groups > 1 && outputsOfGroup > 4 && outputsOfGroup % 4 != 0;

    /// <summary>Convolutions take three inputs at a time where three divides them, and read those of the first three only.</summary>
    public static bool ReadsThreeInputs(Graph graph, long inputs, long outputs) => IsOn(graph) && inputs > 3 && inputs % 3 == 0 && inputs % 4 != 0 && outputs % 4 == 0;

    private static bool IsOn(Graph graph) => graph.Device.Kind == DeviceKind.WebGpu;
}
