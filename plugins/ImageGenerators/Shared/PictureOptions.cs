using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Options of every image generator.</summary>
public abstract record PictureOptions : ModelOptions
{
    /// <summary>Pictures.</summary>
    [Description("Number of pictures, shown as a grid; the classes of the prompt take turns."), Range(1, 256)]
    public int Count { get; init; } = 1;
}
