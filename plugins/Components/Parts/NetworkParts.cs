using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Parts;

/// <summary>The parts that have weights: quantizers, text encoders, perceptual networks.</summary>
internal static class NetworkParts
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } = [.. Quantizers.Architectures, .. TextEncoders.Architectures, .. Lpips.Architectures, ClipScore.Architecture, MotionEvaluator.Architecture];
}
