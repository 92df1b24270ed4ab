using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Features;

internal static class FeatureParts
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } = [];
}
