namespace ModelZoo.Contracts.Tests.Tensors;

public class TensorTests
{
    [Fact]
    public void Indexer_IsRowMajor()
    {
        var tensor = Tensor.Create(Enumerable.Range(0, 24).ToArray(), 2, 3, 4);
        Assert.Equal(1 * 12 + 2 * 4 + 3, tensor[1, 2, 3]);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor[0, 3, 0]);
    }

    [Fact]
    public void Slice_SharesMemory()
    {
        var tensor = Tensor.Zeros<float>(2, 2);
        tensor.Slice(1).Span[0] = 5;
        Assert.Equal([0, 0, 5, 0], tensor.Span.ToArray());
    }

    [Fact]
    public void Create_WithAnotherCount_IsRefused() => Assert.Throws<ArgumentException>(() => Tensor.Create(new float[3], 2, 2));

    [Fact]
    public void Count_ThatOverflows_IsRefused() => Assert.Throws<OverflowException>(() => Tensor.Count([long.MaxValue, 3]));

    [Fact]
    public void As_AnotherType_SaysBoth()
    {
        var error = Assert.Throws<ModelZooException>(() => ((Tensor)Tensor.Zeros<float>(2)).As<long>());
        Assert.Equal(("Int64", "Float32[2]"), (error.Expected, error.Found));
    }

    [Fact]
    public void ToSingle_OfDecimals_RoundsWide()
    {
        var single = Tensor.Create([1.5f, float.NaN], 2);
        Assert.Same(single, single.ToSingle());
        var rounded = Tensor.Create([0.1, double.MaxValue], 2, 1).ToSingle()!;
        Assert.Equal([0.1f, float.PositiveInfinity], rounded.Span.ToArray());
        Assert.Equal([2, 1], rounded.Shape.ToArray());
        Assert.Null(Tensor.Zeros<long>(2).ToSingle());
    }
}
