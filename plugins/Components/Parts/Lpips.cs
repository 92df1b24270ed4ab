using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Components.Parts;

// The Unreasonable Effectiveness of Deep Features as a Perceptual Metric. Zhang, Isola, Efros, Shechtman, Wang. arXiv:1801.03924. github.com/richzhang/PerceptualSimilarity.
// Published layouts: torchvision's alexnet, vgg16 and squeezenet1_1 (features.*), and the package's linear layers (lin*.model.1.weight). Deviations: none.

/// <summary>What <c>lpips.LPIPS</c> is made with.</summary>
public sealed record LpipsConfig
{
    /// <summary>The trunk: <c>alex</c>, <c>vgg</c> (or <c>vgg16</c>), or <c>squeeze</c>.</summary>
    [AllowedValues("alex", "vgg", "vgg16", "squeeze")] public string Net { get; init; } = "alex";
    /// <summary>0.1 scales the input; others do not.</summary>
    public string Version { get; init; } = "0.1";
    /// <summary>Whether layers are weighted by learned numbers rather than summed.</summary>
    public bool Lpips { get; init; } = true;
}

/// <summary>The learned perceptual distance of two pictures.</summary>
internal static class Lpips
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } = [Part("alex", "alexnet.pth"), Part("vgg", "vgg16.pth"), Part("squeeze", "squeezenet1_1.pth")];

    /// <summary>Distances. x and y (B, 3, H, W) in -1..1 -> one for each layer, (B, 1, h, w), in order.</summary>
    public static IReadOnlyList<Value> Layers(Scope lpips, Value x, Value y, LpipsConfig config)
    {
        var (first, second) = (Trunk(lpips["features"], lpips.Stage("scaled", Scaled(x, config)), config.Net), Trunk(lpips["features"], Scaled(y, config), config.Net));
        lpips.Stage("features_last", first[^1]);
        return [.. first.Select((features, layer) =>
        {
            var difference = (Unit(features) - Unit(second[layer])).Square();
            return config.Lpips ? Linear(lpips[$"lin{layer}.model"]).Conv(difference, 1, 1, bias: false) : difference.Sum(1, keep: true);
        })];
    }

    // A dropout comes before the layer, unless the package was told to make none.
    private static Scope Linear(Scope layers) => layers[layers.Has("1.weight") ? "1" : "0"];

    // The statistics of ImageNet, for pictures in -1..1.
    private static Value Scaled(Value x, LpipsConfig config) => config.Version != "0.1" ? x
        : (x - x.Graph.Constant([-.030f, -.088f, -.188f], 1, 3, 1, 1)) / x.Graph.Constant([.458f, .448f, .450f], 1, 3, 1, 1);

    private static Value Unit(Value features) => features / (features.Square().Sum(1, keep: true).Sqrt() + 1e-10);

    // The activations that are compared.
    private static IReadOnlyList<Value> Trunk(Scope features, Value x, string net) => net switch { "alex" => AlexNet(features, x), "vgg" => Vgg16(features, x), _ => SqueezeNet(features, x) };

    private static List<Value> AlexNet(Scope features, Value x)
    {
        var h1 = Conv(features[0], x, 11, stride: 4, padding: 2);
        var h2 = Conv(features[3], h1.MaxPool(3, 2), 5, padding: 2);
        var h3 = Conv(features[6], h2.MaxPool(3, 2), 3, padding: 1);
        var h4 = Conv(features[8], h3, 3, padding: 1);
        return [h1, h2, h3, h4, Conv(features[10], h4, 3, padding: 1)];
    }

    private static List<Value> Vgg16(Scope features, Value x)
    {
        List<Value> outputs = [];
        foreach (var level in (int[][])[[0, 2], [5, 7], [10, 12, 14], [17, 19, 21], [24, 26, 28]])
        {
            x = level.Aggregate(outputs.Count == 0 ? x : x.MaxPool(2, 2), (h, layer) => Conv(features[layer], h, 3, padding: 1));
            outputs.Add(x);
        }

        return outputs;
    }

    private static List<Value> SqueezeNet(Scope features, Value x)
    {
        var h = Conv(features[0], x, 3, stride: 2);
        List<Value> outputs = [h];
        foreach (var (pool, fires) in ((bool, int[])[])[(true, [3, 4]), (true, [6, 7]), (true, [9]), (false, [10]), (false, [11]), (false, [12])])
        {
            h = fires.Aggregate(pool ? h.MaxPool(3, 2, ceil: true) : h, (value, fire) => Fire(features[fire], value));
            outputs.Add(h);
        }

        return outputs;
    }

    private static Value Fire(Scope fire, Value x)
    {
        var h = Conv(fire["squeeze"], x, 1);
        return ValueShape.Concat(1, Conv(fire["expand1x1"], h, 1), Conv(fire["expand3x3"], h, 3, padding: 1));
    }

    private static Value Conv(Scope layer, Value x, long kernel, long stride = 1, long padding = 0) => layer.Conv(x, layer.ShapeOf("weight")[0], kernel, stride, padding).Relu();

    private static ModelArchitecture Part(string net, string trunk) =>
        NetworkPart.Architecture($"metrics/lpips-{net}", "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", "github.com/richzhang/PerceptualSimilarity", Modality.Tensors,
            source => source.Parts.Count > 0 ? source.OpenCheckpoint() : Checkpoint.Open([new(Path.Combine(source.RequireFolder(), trunk)), new(Path.Combine(source.RequireFolder(), $"{net}.pth"))]),
            (source, checkpoint) =>
            {
                var config = PublishedConfig.Read<LpipsConfig>(source.RequireFolder()).Value with { Net = net };
                var network = Network.Build(NetworkContext.Of(source, checkpoint), $"lpips {net}", scope =>
                {
                    Shape pictures = [Dim.Symbol("batch"), 3, Dim.Symbol("height"), Dim.Symbol("width")];
                    var x = scope.Graph.Input("in0", pictures);
                    var layers = Layers(scope, x, scope.Graph.Input("in1", pictures), config);
                    var distances = layers.Select((layer, i) => scope.Stage($"layer_{i}", layer.Mean(3).Mean(2).Squeeze(1))).ToArray();
                    scope.Graph.Output("lpips", distances.Aggregate((a, b) => a + b));
                    scope.Graph.Output("lpips_map", layers.Select(layer => layer.Interpolate(Interpolation.Linear, [x.Shape[2], x.Shape[3]])).Aggregate((a, b) => a + b));
                });
                return new NetworkPart(checkpoint, new Dictionary<string, PartCall> { ["forward"] = (arguments, cancel) => ForwardAsync(network, arguments, cancel) }, network);
            });

    private static async Task<CallResults> ForwardAsync(Network network, CallArguments arguments, CancellationToken cancel)
    {
        var normalize = arguments.Literal("normalize", false);
        arguments.Literal("spatial", false);                                                   // both results are always there
        Tensor Picture(string name) => normalize ? ToSigned(arguments.Tensor<float>(name)) : arguments.Tensor(name);
        return (await network.RunAsync(cancel, ("in0", Picture("in0")), ("in1", Picture("in1"))).ConfigureAwait(false)).ToResults();
    }

    // 0..1 to -1..1.
    private static Tensor<float> ToSigned(Tensor<float> x) => new(Array.ConvertAll(x.Span.ToArray(), value => 2 * value - 1), x.Shape);
}
