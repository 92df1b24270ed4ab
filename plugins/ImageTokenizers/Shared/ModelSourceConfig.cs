using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.ImageTokenizers;

internal static class ModelSourceConfig
{
    /// <summary>The published settings in a model's folder, or a section of them.</summary>
    public static T ReadConfig<T>(this ModelSource source, string? section = null) where T : class => PublishedConfig.Read<T>(source.RequireFolder(), section).Value;
}
