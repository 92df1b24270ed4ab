using ModelZoo.Inference;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>
/// A checkpoint that holds moving averages beside the weights: <c>encoder.conv.weight</c> is averaged under <c>model_ema.encoderconvweight</c>. Networks get the average where there is one, as the authors' inference does.
/// </summary>
internal sealed class EmaWeights(ITensorSource source) : ITensorSource
{
    private readonly HashSet<string> _names = [.. source.Tensors.Select(tensor => tensor.Name)];

    /// <summary>Names that hold no weights of their own: counters of the averaging.</summary>
    public const string Counters = @"^model_ema\.(decay|num_updates)$";

    public string Origin => source.Origin;

    public IReadOnlyCollection<TensorInfo> Tensors => source.Tensors;

    public WeightData? Find(string name)
    {
        var own = source.Find(name);
        var average = "model_ema." + name.Replace(".", "", StringComparison.Ordinal);
        return _names.Contains(average) ? source.Find(average) : own;
    }

    public WeightData Derive(string key, Func<WeightData> make) => source.Derive(key, make);
}
