using ModelZoo.Contracts;
using ModelZoo.Inference.Tests.Runtime;

namespace ModelZoo.Inference.Tests.Kernels;

public sealed class ConvolutionKernelTests(RuntimeFixture fixture) : IClassFixture<RuntimeFixture>
{
    private static readonly int[] Channels = [1, 2, 3, 5, 12, 13, 31, 64, 100];
    private static readonly int[] Extents = [1, 2, 3, 7, 8, 13, 31, 32, 33, 64, 100, 130];

    [Theory]
    [InlineData("Conv", 1)]
    [InlineData("Conv", 2)]
    [InlineData("ConvTranspose", 1)]
    [InlineData("ConvTranspose", 2)]
    public void Convolution_AnyShape_AsTheEngine(string convolution, int axes)
    {
        var random = new Random(1);
        for (var i = 0; i < 60; i++)
        {
            var layer = Layer.Random(random, convolution, axes);
            Check(random, layer);
        }
    }

    [Theory]
    [InlineData("Conv", 1, 700)]
    [InlineData("ConvTranspose", 1, 700)]
    [InlineData("Conv", 2, 700)]
    public void Convolution_ManyChannels_AsTheEngine(string convolution, int axes, int channels)
    {
        var random = new Random(2);
        var layer = new Layer(convolution, axes) { Channels = channels, Outputs = 70, Kernel = Same(axes, 4), Strides = Same(axes, 2), Before = Same(axes, 1), After = Same(axes, 2), Extent = [.. new long[] { 19, 40 }.Take(axes)] };
        Check(random, layer);
    }

    [Fact]
    public void Convolution_LongSignal_AsTheEngine()
    {
        var random = new Random(3);
        foreach (var convolution in (string[])["Conv", "ConvTranspose"])
        {
            var layer = new Layer(convolution, 1) { Channels = 6, Outputs = 20, Kernel = [10], Strides = [5], Before = [3], After = [2], Extent = [20_001], Batch = 2 };
            Check(random, layer);
        }
    }

    [Theory]
    [InlineData(33, 40)]
    [InlineData(130, 64)]
    [InlineData(64, 100)]
    [InlineData(250, 260)]
    [InlineData(520, 460)]
    public void Convolution_PictureByNineTaps_AsTheEngine(int channels, int outputs)
    {
        var random = new Random(6);
        foreach (var (height, width) in ((int, int)[])[(32, 32), (33, 37), (64, 61), (19, 150), (7, 9)])
        {
            var pad = random.Next(2);
            var layer = new Layer("Conv", 2) { Channels = channels, Outputs = outputs, Kernel = [3, 3], Before = [pad, 1], After = [1, pad], Extent = [height, width], Batch = random.Next(1, 3), Bias = random.Next(2) == 0 };
            Check(random, layer);
        }
    }

    [Fact]
    public void Convolution_AfterPadding_AsTheEngine()
    {
        var random = new Random(7);
        foreach (var axes in (int[])[1, 2])
        {
            foreach (var mode in (string[])["constant", "reflect", "edge"])
            {
                foreach (var isConstant in (bool[])[true, false])
                {
                    foreach (var unit in (string[])["", "Elu", "parts"])
                    {
                        var layer = new Layer("Conv", axes) { Channels = 40, Outputs = 33, Kernel = Same(axes, 3), Strides = Same(axes, random.Next(1, 3)), Extent = [.. new long[] { 45, 70 }.Take(axes)], Pad = mode, IsConstant = isConstant, Unit = unit };
                        if (mode == "constant") layer = layer with { Before = Same(axes, 1) };
                        Check(random, layer);
                    }
                }
            }
        }
    }

    [Fact]
    public void Convolution_MirrorOfAShorterSignal_Fails()
    {
        var random = new Random(8);
        var layer = new Layer("Conv", 1) { Channels = 2, Outputs = 3, Kernel = [3], Extent = [3], Pad = "reflect" };
        using var session = fixture.Runtime.CreateSession(layer.Graph(random));

        Assert.Throws<ModelZooException>(() => session.Run(layer.Inputs(random)));
    }

    // The second one's channels and places are enough for Winograd's products.
    [Theory]
    [InlineData(30, 20)]
    [InlineData(40, 44)]
    public void Convolution_PicturesOfABatch_AreThoseOfEachAlone(int outputs, int rows)
    {
        var random = new Random(4);
        var layer = new Layer("Conv", 2) { Channels = 70, Outputs = outputs, Kernel = [3, 3], Before = [1, 1], After = [1, 1], Extent = [rows, 45], Batch = 3 };
        using var session = fixture.Runtime.CreateSession(layer.Graph(random));
        var x = (Tensor<float>)layer.Inputs(random)["x"];
        var together = session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].As<float>().Span.ToArray();

        for (var i = 0; i < 3; i++)
        {
            var alone = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(x.Span.Slice(i * 70 * rows * 45, 70 * rows * 45).ToArray(), 1, 70, rows, 45) })["y"].As<float>().Span.ToArray();
            Assert.Equal(alone, together[(i * alone.Length)..((i + 1) * alone.Length)]);
        }
    }

    [Fact]
    public void Convolution_NoPictures_GivesNone()
    {
        var random = new Random(5);
        var layer = new Layer("Conv", 2) { Channels = 3, Outputs = 4, Kernel = [3, 3], Extent = [5, 5], Batch = 0 };
        using var session = fixture.Runtime.CreateSession(layer.Graph(random));

        Assert.Equal([0, 4, 3, 3], session.Run(layer.Inputs(random))["y"].Shape.ToArray());
    }

    // Thousands of terms in another order: each has a rounding error of its own.
    private void Check(Random random, Layer layer) => KernelGraphs.SameAsEngine(fixture.Runtime, layer.Graph(random), layer.Inputs(random), tolerance: 5e-6);

    private static long[] Same(int axes, long value) => [.. Enumerable.Repeat(value, axes)];

    /// <summary>A graph of one convolution, and an input for it.</summary>
    private sealed record Layer(string Operator, int Axes)
    {
        public long Batch { get; init; } = 1;
        public long Channels { get; init; } = 1;
        public long Outputs { get; init; } = 1;
        public long[] Extent { get; init; } = [];
        public long[] Kernel { get; init; } = [];
        public long[] Strides { get; init; } = Same(Axes, 1);
        public long[] Dilations { get; init; } = Same(Axes, 1);
        public long[] Before { get; init; } = Same(Axes, 0);
        public long[] After { get; init; } = Same(Axes, 0);
        public long[] OutputPadding { get; init; } = Same(Axes, 0);
        public bool Bias { get; init; } = true;

        /// <summary>What a Pad before it puts there: 3 before and 2 after each axis.</summary>
        public string Pad { get; init; } = "";
        public bool IsConstant { get; init; }

        /// <summary>An exponential unit before that: none, the operator, or its parts.</summary>
        public string Unit { get; init; } = "";

        public static Layer Random(Random random, string convolution, int axes)
        {
            while (true)
            {
                long[] Some(int least, int end) => [.. Enumerable.Range(0, axes).Select(_ => (long)random.Next(least, end))];
                var layer = new Layer(convolution, axes)
                {
                    Batch = random.Next(1, 3), Channels = ConvolutionKernelTests.Channels[random.Next(ConvolutionKernelTests.Channels.Length)], Outputs = ConvolutionKernelTests.Channels[random.Next(ConvolutionKernelTests.Channels.Length)],
                    Extent = [.. Enumerable.Range(0, axes).Select(_ => (long)Extents[random.Next(Extents.Length)])], Kernel = Some(1, 6), Strides = Some(1, 5), Dilations = random.Next(2) == 0 ? Same(axes, 1) : Some(1, 4),
                    Before = Some(0, 4), After = Some(0, 4), Bias = random.Next(3) > 0,
                };
                if (convolution == "ConvTranspose") layer = layer with { OutputPadding = [.. layer.Strides.Select(stride => random.Next(2) == 0 ? 0 : stride - 1)] };
                if (layer.IsPossible) return layer;
            }
        }

        private bool IsPossible => Enumerable.Range(0, Axes).All(i => Operator == "Conv"
            ? Extent[i] + Before[i] + After[i] > (Kernel[i] - 1) * Dilations[i]
            : (Extent[i] - 1) * Strides[i] + (Kernel[i] - 1) * Dilations[i] + 1 + OutputPadding[i] > Before[i] + After[i]);

        public Dictionary<string, Tensor> Inputs(Random random) => new() { ["x"] = Tensor.Create(KernelGraphs.Random(random, Batch * Channels * Extent.Aggregate(1L, (product, extent) => product * extent)), [Batch, Channels, .. Extent]) };

        public GraphDefinition Graph(Random random)
        {
            var graph = new GraphDefinition { Name = ToString() };
            graph.Inputs.Add(new("x", ElementType.Float32, [new(-1, "batch"), Channels, .. Extent.Select((_, i) => new GraphDimension(-1, $"extent{i}"))]));
            graph.Outputs.Add(new("y", ElementType.Float32, [new(-1, "batch"), Outputs, .. Extent.Select((_, i) => new GraphDimension(-1, $"result{i}"))]));
            graph.Initializers.Add(new("w", KernelGraphs.Weight(random, [.. Operator == "Conv" ? (long[])[Outputs, Channels] : [Channels, Outputs], .. Kernel])));
            if (Bias) graph.Initializers.Add(new("b", KernelGraphs.Weight(random, Outputs)));
            var attributes = new Dictionary<string, object> { ["kernel_shape"] = Kernel, ["strides"] = Strides, ["dilations"] = Dilations, ["pads"] = (long[])[.. Before, .. After] };
            if (Operator == "ConvTranspose") attributes["output_padding"] = OutputPadding;
            var value = WithUnit(graph);
            if (Pad != "") value = Padded(graph, value);
            graph.Nodes.Add(new(Operator, "", "convolution", Bias ? [value, "w", "b"] : [value, "w"], ["y"], attributes));
            return graph;
        }

        private string WithUnit(GraphDefinition graph)
        {
            if (Unit == "") return "x";
            if (Unit == "Elu")
            {
                graph.Nodes.Add(new("Elu", "", "unit", ["x"], ["unit"], SmallGraphs.None));
                return "unit";
            }

            graph.Initializers.AddRange([new("-inf", WeightData.Copy<float>([float.NegativeInfinity])), new("0", WeightData.Copy<float>([0])), new("1", WeightData.Copy<float>([1]))]);
            graph.Nodes.AddRange(
            [
                new("Relu", "", "above", ["x"], ["above"], SmallGraphs.None), new("Clip", "", "least", ["x", "-inf", "0"], ["least"], SmallGraphs.None), new("Exp", "", "power", ["least"], ["power"], SmallGraphs.None),
                new("Sub", "", "below", ["1", "power"], ["below"], SmallGraphs.None), new("Sub", "", "unit", ["above", "below"], ["unit"], SmallGraphs.None),
            ]);
            return "unit";
        }

        private string Padded(GraphDefinition graph, string value)
        {
            long[] amounts = [0, 0, .. Same(Axes, 3), 0, 0, .. Same(Axes, 2)];
            if (IsConstant) graph.Initializers.Add(new("amounts", WeightData.Copy<long>(amounts, amounts.Length)));
            else
            {
                for (var i = 0; i < amounts.Length; i++) graph.Initializers.Add(new($"amount{i}", WeightData.Copy<long>([amounts[i]], 1)));
                graph.Nodes.Add(new("Concat", "", "amounts", [.. amounts.Select((_, i) => $"amount{i}")], ["amounts"], new Dictionary<string, object> { ["axis"] = 0L }));
            }

            graph.Nodes.Add(new("Pad", "", "pad", [value, "amounts"], ["padded"], new Dictionary<string, object> { ["mode"] = Pad }));
            return "padded";
        }
    }
}
