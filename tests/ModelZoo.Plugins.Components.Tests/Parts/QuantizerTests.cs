using System.Text.Json.Nodes;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.Components.Tests.Parts;

public sealed class QuantizerTests
{
    [Theory, ParityCases("components/vector-quantize")]
    public Task VectorQuantize_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/residual-vq")]
    public Task ResidualVq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/fsq")]
    public Task Fsq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/residual-fsq")]
    public Task ResidualFsq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/lfq")]
    public Task Lfq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/bsq")]
    public Task Bsq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/sim-vq")]
    public Task SimVq_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory, ParityCases("components/random-projection-quantizer")]
    public Task RandomProjectionQuantizer_ReproducesTheLibrary(ParityCase @case) => Parity.VerifyAsync<ComponentsPlugin>(@case);

    [Theory]
    [InlineData("vector-quantize", "euclidean", true)]
    [InlineData("vector-quantize", "euclidean", false)]
    [InlineData("residual-vq", "euclidean-q3", true)]
    [InlineData("residual-vq", "euclidean-q3", false)]
    public async Task Forward_Masked_LeavesPaddingOut(string part, string name, bool zeros)
    {
        var x = TensorArchive.Read(Repository.Path("tests", "parity", "components", part, name, "inputs.safetensors"))["x"].As<float>();
        var (rows, length, width) = ((int)x.Shape[0], (int)x.Shape[1], (int)x.Shape[2]);
        using var folder = new CopiedCheckpoint(part, name, json => json["kwargs"]!["return_zeros_for_masked_padding"] = zeros);
        await using var model = await OpenAsync(part, folder.Path);
        var calls = model.Find<IReferenceCalls>()!;
        var lengths = Tensor.Create([.. Enumerable.Range(0, rows).Select(row => (long)(row + 1) % length)], rows);
        var mask = Tensor.Create([.. Enumerable.Range(0, rows * length).Select(place => place % length < lengths.Span[place / length] ? 1L : 0)], rows, length);

        var whole = await calls.CallAsync("forward", new CallArguments().With("x", x));
        foreach (var masked in new[] { await calls.CallAsync("forward", new CallArguments().With("x", x).With("mask", mask)), await calls.CallAsync("forward", new CallArguments().With("x", x).With("lens", lengths)) })
        {
            var perPlace = masked.Tensor("codes").Length / (rows * length);
            for (var place = 0; place < rows * length; place++)
            {
                var seen = mask.Span[place] == 1;
                Assert.Equal(seen ? Codes(whole, place) : [.. Enumerable.Repeat(-1L, perPlace)], Codes(masked, place));
                Assert.Equal(seen ? Quantized(whole, place) : zeros ? new float[width] : x.Span.Slice(place * width, width).ToArray(), Quantized(masked, place));
            }

            long[] Codes(CallResults results, int place) => results.Tensor("codes").As<long>().Span.Slice(place * perPlace, perPlace).ToArray();
            float[] Quantized(CallResults results, int place) => results.Tensor("quantized").As<float>().Span.Slice(place * width, width).ToArray();
        }
    }

    // Two groups with the same weights on the same channels give the library's result of one, twice.
    [Theory]
    [InlineData("residual-fsq", "q3")]
    public async Task Forward_Groups_AreQuantizedOnTheirOwn(string part, string name)
    {
        var source = Repository.Path("tests", "parity", "components", part, name);
        var x = TensorArchive.Read(Path.Combine(source, "inputs.safetensors"))["x"].As<float>();
        var expected = TensorArchive.Read(Path.Combine(source, "expected.safetensors"));
        using var folder = new CopiedCheckpoint(part, name, json => (json["kwargs"]!["groups"], json["kwargs"]!["dim"]) = (2, 2 * x.Shape[2]), "rvqs.0.", "rvqs.1.");
        await using var model = await OpenAsync(part, folder.Path);
        var calls = model.Find<IReferenceCalls>()!;

        var results = await calls.CallAsync("forward", new CallArguments().With("x", Twice(x)));
        var codes = results.Tensor("codes").As<long>();
        Assert.Equal([2, .. expected["codes"].Shape], codes.Shape.ToArray());
        Assert.Equal([.. expected["codes"].As<long>().Span, .. expected["codes"].As<long>().Span], codes.Span.ToArray());
        Near(Twice(expected["quantized"].As<float>()), results.Tensor("quantized").As<float>());
        var decoded = await calls.CallAsync("get_output_from_indices", new CallArguments().With("indices", codes));
        Near(Twice(expected["quantized"].As<float>()), decoded.Tensor("decoded").As<float>());

        static Tensor<float> Twice(Tensor<float> x)
        {
            var width = (int)x.Shape[^1];
            return Tensor.Create([.. x.Span.ToArray().Chunk(width).SelectMany(row => row.Concat(row))], [.. x.Shape[..^1], 2 * width]);
        }

        static void Near(Tensor<float> expected, Tensor<float> actual)
        {
            Assert.Equal(expected.Shape.ToArray(), actual.Shape.ToArray());
            for (var i = 0; i < expected.Length; i++) Assert.Equal(expected.Span[i], actual.Span[i], 1e-5f);
        }
    }

    [Theory]
    [InlineData("vector-quantize", "euclidean", "ResidualVQ")]
    [InlineData("residual-vq", "euclidean-q3", "GroupedVQ")]
    [InlineData("lfq", "bits7", "ResidualLFQ")]
    [InlineData("fsq", "levels-8555", "GroupedFSQ")]
    public async Task Open_AnotherClass_IsRefused(string part, string name, string @class)
    {
        using var folder = new CopiedCheckpoint(part, name, json => json["class"] = @class);
        var error = await Assert.ThrowsAsync<ModelZooException>(async () => await OpenAsync(part, folder.Path));
        Assert.Equal((ErrorCodes.ConfigInvalid, @class), (error.Code, error.Found));
    }

    private static ValueTask<IModel> OpenAsync(string part, string folder) => new ComponentsPlugin().Architectures.Single(architecture => architecture.Card.Id == $"components/{part}")
        .Open(new ModelSource { Id = new("components", part), Folder = folder, Services = HostServices.Instance }, default);

    // A case's checkpoint with other settings, its weights under each of the prefixes.
    private sealed class CopiedCheckpoint : IDisposable
    {
        public CopiedCheckpoint(string part, string name, Action<JsonNode> change, params string[] prefixes)
        {
            var source = Repository.Path("tests", "parity", "components", part, name, "checkpoint");
            var json = JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(source, "config.json")))!;
            change(json);
            File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), json.ToJsonString());
            var weights = System.IO.Path.Combine(source, "model.safetensors");
            if (prefixes.Length == 0) File.Copy(weights, System.IO.Path.Combine(Path, "model.safetensors"));
            else SafetensorsWriter.Write(System.IO.Path.Combine(Path, "model.safetensors"), TensorArchive.Read(weights).SelectMany(weight => prefixes.Select(prefix => KeyValuePair.Create(prefix + weight.Key, weight.Value))).ToDictionary());
        }

        public string Path { get; } = Directory.CreateTempSubdirectory("quantizer").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
