using ModelZoo.Contracts;
using ModelZoo.Networks.Tests;

namespace ModelZoo.Networks.LanguageModels.Tests;

public sealed class LlamaTests
{
    private const int Width = 8, Hidden = 6, Length = 5;

    private static readonly LlamaConfig Small = new() { VocabSize = 7, HiddenSize = Width, IntermediateSize = Hidden, NumHiddenLayers = 1, NumAttentionHeads = 4, NumKeyValueHeads = 2, RmsNormEps = 1e-5 };

    [Fact]
    public void Decode_Phi3_IsLlamaWhoseMapsStandTogether()
    {
        var x = Runtime.Numbers(1, 2, Length, Width);
        var fused = Runtime.Run(scope => Llama.Decode(scope, scope.Graph.Input("x", [2, Length, Width]), Small with { ModelType = "phi3", RmsNormEps = null }), Weights(isFused: true), ("x", x));
        Runtime.Near(Run(Small, x), fused);
    }

    [Theory]
    [InlineData(true, 0, false)]
    [InlineData(true, 1, true)]
    [InlineData(false, 0, true)]
    public void Decode_Qwen2_HasAWindowFromALayerOn(bool uses, int first, bool isSeen)
    {
        var config = Small with { ModelType = "qwen2", UseSlidingWindow = uses, MaxWindowLayers = first, SlidingWindow = 2 };
        var (x, other) = (Runtime.Numbers(1, 1, Length, Width), Runtime.Numbers(1, 1, Length, Width));
        other.Span[..Width].Fill(3);
        var last = (Length - 1) * Width;
        Assert.Equal(isSeen, !Run(config, x).Span[last..].SequenceEqual(Run(config, other).Span[last..]));
    }

    [Fact]
    public void Decode_AHeadOfWhichAPartTurns_LeavesTheRest()
    {
        // With the part that turns multiplied away, positions make no difference.
        var weights = Weights(isFused: false, turning: 0);
        var config = Small with { HeadDim = 4, PartialRotaryFactor = 0.5 };
        var x = Runtime.Numbers(1, 1, Length, Width);
        Tensor<float> At(long first) => Runtime.Run(
            scope => Llama.Decode(scope, scope.Graph.Input("x", [1, Length, Width]), config, scope.Graph.Constant([.. Enumerable.Range(0, Length).Select(i => first * i)], 1, Length)), weights, ("x", x));
        Runtime.Near(At(0), At(3));
        Assert.False(At(0).Span.SequenceEqual(Run(config with { PartialRotaryFactor = 1 }, x, weights).Span));
    }

    private static Tensor<float> Run(LlamaConfig config, Tensor<float> x, TestWeights? weights = null) =>
        Runtime.Run(scope => Llama.Decode(scope, scope.Graph.Input("x", [x.Shape[0], Length, Width]), config), weights ?? Weights(isFused: false), ("x", x));

    // Maps of one layer; of queries and keys the first half of each head may be multiplied by a number. Heads have two channels, or four where that is asked for.
    private static TestWeights Weights(bool isFused, float? turning = null)
    {
        var head = turning is null ? 2 : 4;
        Tensor<float> Map(int seed, int heads)
        {
            var map = Runtime.Numbers(seed, heads * head, Width);
            for (var row = 0; turning is { } factor && row < map.Shape[0]; row++)
            {
                if (row % head < head / 2) foreach (ref var value in map.Span.Slice(row * Width, Width)) value *= factor;
            }

            return map;
        }

        var (q, k, v) = (Map(2, 4), Map(3, 2), Runtime.Numbers(4, 2 * head, Width));
        var (gate, up) = (Runtime.Numbers(5, Hidden, Width), Runtime.Numbers(6, Hidden, Width));
        Tensor<float> Bias(int seed, Tensor<float> map) => Runtime.Numbers(seed, map.Shape[0]);
        (string, Tensor<float>)[] maps = isFused
            ? [("layers.0.self_attn.qkv_proj.weight", Stacked(q, k, v)), ("layers.0.mlp.gate_up_proj.weight", Stacked(gate, up))]
            :
            [
                ("layers.0.self_attn.q_proj.weight", q), ("layers.0.self_attn.k_proj.weight", k), ("layers.0.self_attn.v_proj.weight", v), ("layers.0.mlp.gate_proj.weight", gate), ("layers.0.mlp.up_proj.weight", up),
                ("layers.0.self_attn.q_proj.bias", Bias(7, q)), ("layers.0.self_attn.k_proj.bias", Bias(8, k)), ("layers.0.self_attn.v_proj.bias", Bias(9, v)),
            ];
        return new([
            .. maps, ("layers.0.self_attn.o_proj.weight", Runtime.Numbers(10, Width, 4 * head)), ("layers.0.mlp.down_proj.weight", Runtime.Numbers(11, Width, Hidden)),
            ("layers.0.input_layernorm.weight", Runtime.Numbers(12, Width)), ("layers.0.post_attention_layernorm.weight", Runtime.Numbers(13, Width)), ("norm.weight", Runtime.Numbers(14, Width)),
        ]);
    }

    private static Tensor<float> Stacked(params Tensor<float>[] maps) => Tensor.Create([.. maps.SelectMany(map => map.Span.ToArray())], maps.Sum(map => map.Shape[0]), Width);
}
