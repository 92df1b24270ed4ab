using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>Options of class-conditional generation.</summary>
public record ClassOptions : ModelOptions
{
    /// <summary>Steps; null is the model's usual number.</summary>
    [Description("Steps of the scheduler; the model's usual number when left out."), Range(1, 1000)]
    public int? Steps { get; init; }

    /// <summary>Scale of classifier-free guidance; null is the model's usual one.</summary>
    [Description("How strongly the class is followed: classifier-free guidance, 1 for none; the model's usual scale when left out."), Range(0.0, 100.0)]
    public double? Guidance { get; init; }

    /// <summary>How noise becomes a picture.</summary>
    [Description("How noise becomes a picture.")]
    public SchedulerKind Scheduler { get; init; } = SchedulerKind.Auto;

    /// <summary>DDIM's share of DDPM's noise.</summary>
    [Description("Share of fresh noise in each step of DDIM; 0 is deterministic."), Range(0.0, 1.0)]
    public double Eta { get; init; }

    /// <summary>Pictures.</summary>
    [Description("Number of pictures, shown as a grid."), Range(1, 256)]
    public int Count { get; init; } = 1;

    /// <summary>Steps between partial pictures.</summary>
    [Description("Steps between partial pictures of what is seen so far; 0 for none. Models with an autoencoder decode each."), Range(0, 1000)]
    public int PreviewEvery { get; init; } = 5;
}

/// <summary>Options of a class-conditional evaluation.</summary>
public sealed record ClassEvaluationOptions : ClassOptions
{
    /// <summary>Pictures to generate.</summary>
    [Description("Pictures to generate, one for each of the first examples' classes; the other examples serve as references only."), Range(1, 1_000_000)]
    public int Samples { get; init; } = 500;

    /// <summary>Pictures generated at a time.</summary>
    [Description("Pictures generated at a time."), Range(1, 1024)]
    public int BatchSize { get; init; } = 50;
}
