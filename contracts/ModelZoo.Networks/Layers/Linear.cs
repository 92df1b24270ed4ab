using System.Numerics.Tensors;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>Linear maps, embeddings and multilayer perceptrons.</summary>
public static class LinearLayers
{
    /// <summary>x W^T + b over the last dimension. <c>weight</c> (out, in), <c>bias</c> (out). x (.., in) -> (.., out).</summary>
    public static Value Linear(this Scope scope, Value x, long outputs, bool bias = true)
    {
        var inputs = x.Shape[-1].Size;
        return scope.Linear(x, scope.Weight("weight", outputs, inputs), bias ? scope.Weight("bias", outputs) : null);
    }

    /// <summary>Some rows of a fused linear map, as a view: <c>qkv.LinearRows(x, 3 * d, start: d, count: d)</c> is the keys. x (.., in) -> (.., count).</summary>
    public static Value LinearRows(this Scope scope, Value x, long outputs, long start, long count, bool bias = true)
    {
        var weight = scope.Data("weight", outputs, x.Shape[-1].Size).Rows(start, count);
        var offset = bias ? scope.Data("bias", outputs).Rows(start, count) : null;
        return scope.Linear(x, scope.Graph.Weight($"{scope.Path}.weight[{start}]", weight, scope.Path), offset is null ? null : scope.Graph.Weight($"{scope.Path}.bias[{start}]", offset, scope.Path));
    }

    /// <summary>x W^T + b with given weights (out, in) and (out).</summary>
    public static Value Linear(this Scope scope, Value x, Value weight, Value? bias)
    {
        if (weight.Rank != 2 || x.Shape[-1] != weight.Shape[1]) throw new GraphException("A linear map takes (.., in) and a weight (out, in).") { Where = scope.Path, Expected = weight.ToString(), Found = x.ToString() };
        var rows = x.Rank == 2 ? x : x.Reshape(-1, x.Shape[-1]);
        var y = QuantizedLinear.Linear(scope, rows, weight, bias, inOut: false) ?? scope.Node("Gemm", [rows, weight, bias], [rows.Shape[0], weight.Shape[0]], ("transB", 1L));
        return x.Rank == 2 ? y : y.Reshape([.. x.Shape[..^1], weight.Shape[0]]);
    }

    /// <summary>x W + b over the last dimension, for weights that are stored (in, out), as GPT-2's are. x (.., in) -> (.., out).</summary>
    public static Value LinearInOut(this Scope scope, Value x, long outputs, bool bias = true)
    {
        var weight = scope.Weight("weight", x.Shape[-1].Size, outputs);
        var rows = x.Rank == 2 ? x : x.Reshape(-1, x.Shape[-1]);
        var offset = bias ? scope.Weight("bias", outputs) : null;
        var y = QuantizedLinear.Linear(scope, rows, weight, offset, inOut: true) ?? scope.Node("Gemm", [rows, weight, offset], [rows.Shape[0], outputs]);
        return x.Rank == 2 ? y : y.Reshape([.. x.Shape[..^1], outputs]);
    }

    /// <summary>Rows of a table by id. <c>weight</c> (count, width). ids (..) -> (.., width).</summary>
    public static Value Embedding(this Scope scope, Value ids, long count, long width) => scope.Weight("weight", count, width).Gather(ids);

    /// <summary>Two linear maps with an activation between. x (.., in) -> (.., out).</summary>
    public static Value Mlp(this Scope scope, Value x, long hidden, Func<Value, Value> activation, string first = "fc1", string second = "fc2", bool bias = true)
    {
        var outputs = x.Shape[-1].Size;
        return scope[second].Linear(activation(scope[first].Linear(x, hidden, bias)), outputs, bias);
    }

    /// <summary>A gated multilayer perceptron (Shazeer, arXiv:2002.05202): down(activation(gate(x)) up(x)). SwiGLU with SiLU, GEGLU with GELU. x (.., D) -> (.., D).</summary>
    public static Value GatedMlp(this Scope scope, Value x, long hidden, Func<Value, Value> activation, string gate = "gate_proj", string up = "up_proj", string down = "down_proj", bool bias = false)
    {
        var outputs = x.Shape[-1].Size;
        return scope[down].Linear(activation(scope[gate].Linear(x, hidden, bias)) * scope[up].Linear(x, hidden, bias), outputs, bias);
    }

    /// <summary>A weight with a low-rank change merged in (Hu et al., arXiv:2106.09685), once: <c>weight</c> (out, in) + scale up down.</summary>
    /// <param name="scope">Where the weight is.</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="down">(rank, in), published as <c>lora_A</c> or <c>lora_down</c>.</param>
    /// <param name="up">(out, rank), published as <c>lora_B</c> or <c>lora_up</c>.</param>
    /// <param name="scale">alpha / rank, times the user's strength.</param>
    public static Value LowRankWeight(this Scope scope, long outputs, long inputs, WeightData down, WeightData up, double scale)
    {
        var weight = scope.Data("weight", outputs, inputs);
        var rank = (int)down.Shape[0];
        return scope.Derive($"weight+{scale}:{down.Address}", [outputs, inputs], merged =>
        {
            weight.Span<float>().CopyTo(merged);
            for (var row = 0; row < (int)outputs; row++)
            {
                var target = merged.Slice(row * (int)inputs, (int)inputs);
                for (var r = 0; r < rank; r++) TensorPrimitives.MultiplyAdd(down.Span<float>().Slice(r * (int)inputs, (int)inputs), (float)(scale * up.Span<float>()[row * rank + r]), target, target);
            }
        });
    }

    /// <summary>
    /// A sparse mixture of experts: each place takes the experts with the largest <paramref name="probabilities"/> and sums what they give, weighted by these. Every expert is computed for every place, which is exact and, on the
    /// processor, meant for few experts. x (.., D), probabilities (.., experts) -> (.., D).
    /// </summary>
    /// <param name="x">The input.</param>
    /// <param name="probabilities">What the router gives.</param>
    /// <param name="chosen">Experts a place.</param>
    /// <param name="renormalize">Whether the chosen probabilities are made to sum to one.</param>
    /// <param name="expert">One expert by number.</param>
    public static Value MixtureOfExperts(this Value x, Value probabilities, int chosen, bool renormalize, Func<int, Value, Value> expert)
    {
        var (values, indices) = probabilities.TopK(chosen);
        if (renormalize) values /= values.Sum(-1, keep: true);
        Value? sum = null;
        for (var i = 0; i < probabilities.Shape[-1].Int; i++)
        {
            var share = (values * indices.Same(x.Graph.Constant([(long)i])).Cast(x.Type)).Sum(-1, keep: true);
            var part = expert(i, x) * share;
            sum = sum is null ? part : sum + part;
        }

        return sum!;
    }
}
