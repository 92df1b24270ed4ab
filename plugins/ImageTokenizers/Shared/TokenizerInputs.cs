using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The inputs that tokenizers of any picture size have in common.</summary>
internal static class TokenizerInputs
{
    /// <summary>The extent over the pictures of a batch.</summary>
    public static Dim Batch { get; } = Dim.Symbol("batch");

    /// <summary>Pictures (B, channels, H, W).</summary>
    public static Value Pictures(this Scope scope, string name, long channels = 3) => scope.Graph.Input(name, [Batch, channels, Dim.Symbol("height"), Dim.Symbol("width")]);

    /// <summary>Latents (B, channels, rows, columns).</summary>
    public static Value Latents(this Scope scope, string name, long channels) => scope.Graph.Input(name, [Batch, channels, Dim.Symbol("rows"), Dim.Symbol("columns")]);

    /// <summary>Codes (B, rows, columns).</summary>
    public static Value CodeMap(this Scope scope, string name) => scope.Graph.Input(name, ElementType.Int64, [Batch, Dim.Symbol("rows"), Dim.Symbol("columns")]);
}
