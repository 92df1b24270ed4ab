using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Checkpoints;

public sealed class WeightConversionTests
{
    [Fact]
    public void ToFloat32_EveryBFloat16_IsItsUpperHalf()
    {
        var all = Enumerable.Range(0, 1 << 16).Select(i => (ushort)i).ToArray();

        var floats = WeightConversion.ToFloat32(Of(ElementType.BFloat16, all)).Span<float>();

        for (var i = 0; i < all.Length; i++) Assert.Equal((uint)all[i] << 16, BitConverter.SingleToUInt32Bits(floats[i]));
    }

    [Fact]
    public void ToFloat32_EveryFloat16_IsExact()
    {
        var all = Enumerable.Range(0, 1 << 16).Select(i => BitConverter.UInt16BitsToHalf((ushort)i)).ToArray();

        var floats = WeightConversion.ToFloat32(WeightData.Copy<Half>(all, all.Length)).Span<float>();

        for (var i = 0; i < all.Length; i++) Assert.Equal((float)all[i], floats[i]);
    }

    // Values of the OCP 8-bit floating point specification, table 2.
    [Theory]
    [InlineData(ElementType.Float8E4M3, 0x00, 0f)]
    [InlineData(ElementType.Float8E4M3, 0x01, 0.001953125f)]
    [InlineData(ElementType.Float8E4M3, 0x08, 0.015625f)]
    [InlineData(ElementType.Float8E4M3, 0x38, 1f)]
    [InlineData(ElementType.Float8E4M3, 0x7e, 448f)]
    [InlineData(ElementType.Float8E4M3, 0xfe, -448f)]
    [InlineData(ElementType.Float8E4M3, 0x7f, float.NaN)]
    [InlineData(ElementType.Float8E5M2, 0x01, 1.52587890625e-05f)]
    [InlineData(ElementType.Float8E5M2, 0x04, 6.103515625e-05f)]
    [InlineData(ElementType.Float8E5M2, 0x3c, 1f)]
    [InlineData(ElementType.Float8E5M2, 0x7b, 57344f)]
    [InlineData(ElementType.Float8E5M2, 0x7c, float.PositiveInfinity)]
    [InlineData(ElementType.Float8E5M2, 0xfc, float.NegativeInfinity)]
    [InlineData(ElementType.Float8E5M2, 0x7d, float.NaN)]
    public void ToFloat32_Float8_FollowsTheSpecification(ElementType type, int code, float expected) =>
        Assert.Equal(expected, WeightConversion.ToFloat32(Of(type, [(byte)code])).Span<float>()[0]);

    [Fact]
    public void ToFloat32_ManyElements_AreAllConverted()
    {
        var many = new int[3_000_001];
        for (var i = 0; i < many.Length; i++) many[i] = i - 1_500_000;

        var floats = WeightConversion.ToFloat32(WeightData.Copy<int>(many, many.Length)).Span<float>();

        for (var i = 0; i < many.Length; i++)
        {
            if (floats[i] != many[i]) Assert.Fail($"Element {i} is {floats[i]}, not {many[i]}.");
        }
    }

    [Fact]
    public void ToFloat32_Float32_IsTheSameBlock()
    {
        var data = WeightData.Copy<float>([1, 2], 2);

        Assert.Same(data, WeightConversion.ToFloat32(data));
    }

    [Fact]
    public void ToFloat16_RoundsToEven()
    {
        var halves = WeightConversion.ToFloat16(WeightData.Copy<float>([1, 2049, 2051, 65504, 70000], 5)).Span<Half>();

        Assert.Equal([(Half)1, (Half)2048, (Half)2052, Half.MaxValue, Half.PositiveInfinity], halves.ToArray());
    }

    [Fact]
    public void ToInt64_Integers_AreWidenedAndFloatsRefused()
    {
        Assert.Equal([-1L, 127], WeightConversion.ToInt64(WeightData.Copy<sbyte>([-1, 127], 2)).Span<long>().ToArray());
        Assert.Equal(ErrorCodes.TensorType, Assert.Throws<ModelZooException>(() => WeightConversion.ToInt64(WeightData.Copy<float>([1], 1))).Code);
    }

    private static unsafe WeightData Of<T>(ElementType type, T[] values) where T : unmanaged
    {
        var pinned = GC.AllocateUninitializedArray<T>(values.Length, pinned: true);
        values.CopyTo(pinned, 0);
        fixed (T* first = pinned) return new(type, [values.Length], first, pinned);
    }
}
