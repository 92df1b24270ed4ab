using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>Options of text-conditional generation.</summary>
public record TextOptions : ModelOptions
{
    /// <summary>Steps; null is the model's usual number.</summary>
    [Description("Steps of the scheduler; the model's usual number when left out."), Range(1, 1000)]
    public int? Steps { get; init; }

    /// <summary>Scale of classifier-free guidance; null is the model's usual one.</summary>
    [Description("How strongly the text is followed: classifier-free guidance, 1 for none; the model's usual scale when left out."), Range(0.0, 100.0)]
    public double? Guidance { get; init; }

    /// <summary>What the picture should not be.</summary>
    [Description("What the picture should not show; it takes guidance.")]
    public string NegativePrompt { get; init; } = "";

    /// <summary>How noise becomes a picture.</summary>
    [Description("How noise becomes a picture; auto is the published scheduler.")]
    public SchedulerKind Scheduler { get; init; } = SchedulerKind.Auto;

    /// <summary>Height in pixels; null is the model's own.</summary>
    [Description("Height in pixels; the model's own when left out."), Range(8, 8192)]
    public int? Height { get; init; }

    /// <summary>Width in pixels; null is the model's own.</summary>
    [Description("Width in pixels; the model's own when left out."), Range(8, 8192)]
    public int? Width { get; init; }

    /// <summary>Pictures.</summary>
    [Description("Number of pictures, shown as a grid."), Range(1, 64)]
    public int Count { get; init; } = 1;

    /// <summary>Steps between partial pictures.</summary>
    [Description("Steps between partial pictures of what is seen so far, each decoded; 0 for none."), Range(0, 1000)]
    public int PreviewEvery { get; init; } = 5;
}
