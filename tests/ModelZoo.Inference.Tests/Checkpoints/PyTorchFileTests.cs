using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Checkpoints;

/// <summary>Files that PyTorch 1.13 and NumPy 1.24 wrote (Data/README.md) hold what was put into them.</summary>
public sealed class PyTorchFileTests
{
    public static TheoryData<string> Everything => ["everything-zip.pt", "everything-legacy.pt", "everything-protocol4.pt"];

    [Theory, MemberData(nameof(Everything))]
    public void Open_Views_GiveTheirElementsInOrder(string file)
    {
        using var checkpoint = Checkpoint.Open(Data(file), "state_dict");

        Assert.Equal(["base", "columns", "empty", "expanded", "parameter", "rows", "scalar", "transposed"], checkpoint.Tensors.Select(t => t.Name).Order());
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (float)i), Floats(checkpoint, "base"));
        Assert.Equal(from c in Enumerable.Range(0, 6) from r in Enumerable.Range(0, 4) select (float)(6 * r + c), Floats(checkpoint, "transposed"));
        Assert.Equal(Enumerable.Range(6, 12).Select(i => (float)i), Floats(checkpoint, "rows"));
        Assert.Equal([1f, 3, 7, 9, 13, 15, 19, 21], Floats(checkpoint, "columns"));
        Assert.Equal([1f, 1, 1, 2, 2, 2], Floats(checkpoint, "expanded"));
        Assert.Equal([1.5f, -2.5f], Floats(checkpoint, "parameter"));
        Assert.Equal(2.5f, Assert.Single(Floats(checkpoint, "scalar")));
        Assert.Equal([0, 3], checkpoint.Get("empty").Shape.ToArray());
    }

    [Theory]
    [InlineData(new[] { "state_dict_ema", "state_dict", "types" }, "base")]
    [InlineData(new[] { "types", "state_dict" }, "bool")]
    [InlineData(new[] { "epoch", "model" }, "state_dict.base")]
    public void Open_SeveralCopies_TakesTheFirstThatHoldsTensors(string[] copies, string tensor)
    {
        using var checkpoint = Checkpoint.Open([new(Data("everything-zip.pt")) { Copies = copies }]);

        Assert.Contains(tensor, checkpoint.Tensors.Select(t => t.Name));
    }

    [Fact]
    public void Open_KeyBesideCopies_GoesBefore()
    {
        using var checkpoint = Checkpoint.Open([new(Data("everything-zip.pt"), "types") { Copies = ["state_dict"] }]);

        Assert.Equal(12, checkpoint.Tensors.Count);
    }

    [Theory, MemberData(nameof(Everything))]
    public void Open_SharedStorage_IsSharedAndMapped(string file)
    {
        using var checkpoint = Checkpoint.Open(Data(file), "state_dict");

        var (whole, rows) = (checkpoint.Get("base"), checkpoint.Get("rows"));

        // The legacy format does not align its storages; those that lie askew are copied.
        if (file != "everything-legacy.pt") Assert.True(whole.IsMapped);
        if (whole.IsMapped) Assert.Equal(whole.Address + 24, rows.Address);
    }

    [Theory, MemberData(nameof(Everything))]
    public void Open_EveryType_IsRead(string file)
    {
        using var checkpoint = Checkpoint.Open(Data(file), "types");

        foreach (var tensor in checkpoint.Tensors)
        {
            float[] expected = tensor.Name switch { "bool" => [0, 1, 1], "complex64" or "complex128" => [0, 0, 1, 0, 2, 0], _ => [0, 1, 2] };
            Assert.Equal(expected, WeightConversion.ToFloat32(checkpoint.Get(tensor.Name)).Span<float>().ToArray());
        }

        Assert.Equal(12, checkpoint.Tensors.Count);
        Assert.Equal([3, 2], checkpoint.Get("complex64").Shape.ToArray());
        Assert.Equal(ElementType.BFloat16, checkpoint.Get("bfloat16").Type);
    }

    [Theory, MemberData(nameof(Everything))]
    public void Open_PlainValues_AreATree(string file)
    {
        using var checkpoint = Checkpoint.Open(Data(file));
        var values = checkpoint.Values;

        var args = Assert.IsAssignableFrom<IReadOnlyDictionary<string, object?>>(values["args"]);
        Assert.Equal((3L, 0.5, "tiny", "a/b"), (args["depth"], args["rate"], args["name"], args["path"]));
        Assert.Equal([true, null], Assert.IsAssignableFrom<IReadOnlyList<object?>>(((IReadOnlyDictionary<string, object?>)args["nested"]!)["flags"]));
        Assert.Equal([1L, 2.5, null, true], Assert.IsAssignableFrom<IReadOnlyList<object?>>(values["tuple"]));
        Assert.Equal((100L, -5L, Math.Pow(2, 70), 0.25, 9L, "hi"), (values["epoch"], values["negative"], values["big"], values["np_float"], values["np_int"], values["np_text"]));
        Assert.Equal("ab"u8.ToArray(), values["bytes"]);
        Assert.Equal(("torch.float16", "cpu"), (values["dtype"], values["device"]));
        Assert.Equal([2L, 3L], Assert.IsAssignableFrom<IReadOnlyList<object?>>(values["size"]));
        Assert.Equal(["x"], Assert.IsAssignableFrom<IReadOnlyList<object?>>(values["list"]));
    }

    [Theory, MemberData(nameof(Everything))]
    public void Open_NumpyArrays_AreTensorsInRowMajorOrder(string file)
    {
        using var checkpoint = Checkpoint.Open(Data(file));

        Assert.Equal([0, 1, 2, 3, 4, 5], checkpoint.Get("numpy").Span<int>().ToArray());
        Assert.Equal([2, 3], checkpoint.Get("numpy").Shape.ToArray());
        Assert.Equal([0.0, 1, 2, 3, 4, 5], checkpoint.Get("fortran").Span<double>().ToArray());
        Assert.Equal([7L], checkpoint.Get("list.0").Span<long>().ToArray());
    }

    [Fact]
    public void Open_KeyThatIsNotThere_SaysWhichAre()
    {
        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(Data("everything-zip.pt"), "model"));

        Assert.Equal((ErrorCodes.CheckpointMissing, "model"), (error.Code, error.Expected));
        Assert.Contains("state_dict", error.Found);
    }

    [Fact]
    public void Open_KeyOfATensor_GivesItByItsOwnName()
    {
        using var checkpoint = Checkpoint.Open(Data("everything-zip.pt"), "state_dict.parameter");

        Assert.Equal([1.5f, -2.5f], Floats(checkpoint, "parameter"));
    }

    [Fact]
    public void Open_PlainPickleOfProtocol0_IsRead()
    {
        using var checkpoint = Checkpoint.Open(Data("plain.pkl"));

        Assert.Equal([0f, 1, 2], Floats(checkpoint, "weights"));
        Assert.Equal(5L, checkpoint.Values["step"]);
    }

    [Fact]
    public void Open_CompressedArchiveOfArrays_IsInflated()
    {
        using var checkpoint = Checkpoint.Open(Data("arrays.npz"));

        Assert.Equal(Enumerable.Range(0, 100).Select(i => (float)i), Floats(checkpoint, "a"));
        Assert.Equal([1L, 2], checkpoint.Get("b").Span<long>().ToArray());
    }

    [Fact]
    public void Read_NumpyFile_GivesRowMajorOrder()
    {
        var tensor = NumpyFile.Read(Data("fortran.npy"));

        Assert.Equal([2, 3], tensor.Shape.ToArray());
        Assert.Equal([0.0, 1, 2, 3, 4, 5], tensor.As<double>().Span.ToArray());
    }

    internal static string Data(string name) => Repository.Path("tests", "ModelZoo.Inference.Tests", "Checkpoints", "Data", name);

    private static float[] Floats(Checkpoint checkpoint, string name) => checkpoint.Get(name).Span<float>().ToArray();
}
