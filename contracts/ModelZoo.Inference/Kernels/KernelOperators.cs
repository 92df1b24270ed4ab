namespace ModelZoo.Inference.Kernels;

/// <summary>Names of our own operators.</summary>
internal static class KernelOperators
{
    public const string Attention = "Attention";
    public const string Linear = "Linear";
    public const string Norm = "Norm";
    public const string Convolution = "Convolution";
    public const string Recurrent = "Recurrent";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> Names { get; } = [Attention, Linear, Norm, Convolution, Recurrent];
}
