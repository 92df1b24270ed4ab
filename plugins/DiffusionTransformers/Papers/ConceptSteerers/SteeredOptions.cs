using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.ConceptSteerers;

/// <summary>Options of steered generation.</summary>
public sealed record SteeredOptions : TextOptions
{
    /// <summary>The concept in words.</summary>
    [Description("The concept that the picture is steered by, in words.")]
    public string Concept { get; init; } = "";

    /// <summary>Strength and direction.</summary>
    [Description("How strongly towards the concept, or, below zero, away from it; 0 for not at all."), Range(-100.0, 100.0)]
    public double Strength { get; init; }

    /// <summary>The layer whose output is steered; null for the last but two.</summary>
    [Description("The text encoder's layer whose output is steered, from 0; the last but two when left out, as published for Stable Diffusion 1.4."), Range(0, 1023)]
    public int? Layer { get; init; }
}
