namespace ModelZoo.Contracts;

/// <summary>
/// A plugin: a table of what it brings. It has a public constructor without parameters and is named by <see cref="ModelPluginAttribute"/>; making it must be quick and without side effects.
/// </summary>
public interface IModelPlugin
{
    /// <summary>The architectures it implements.</summary>
    IReadOnlyList<ModelArchitecture> Architectures { get; }

    /// <summary>The metrics it brings, for any model.</summary>
    IReadOnlyList<IMetric> Metrics => [];

    /// <summary>The data set layouts it reads, for any model.</summary>
    IReadOnlyList<IDatasetReader> DatasetReaders => [];
}

/// <summary>Names the plugin of an assembly; the host reads it from metadata, before any code of the plugin runs.</summary>
/// <param name="plugin">The class that implements <see cref="IModelPlugin"/>.</param>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class ModelPluginAttribute(Type plugin) : Attribute
{
    /// <summary>The class that implements <see cref="IModelPlugin"/>.</summary>
    public Type Plugin { get; } = plugin;
}

/// <summary>An architecture: its card, and how to open it with weights.</summary>
/// <param name="Card">What there is to know about it.</param>
/// <param name="Open">Opens a checkpoint. Long work (mapping, graph building) belongs here, not in the plugin's constructor.</param>
public sealed record ModelArchitecture(ModelCard Card, Func<ModelSource, CancellationToken, ValueTask<IModel>> Open);
