using ModelZoo.Contracts;

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
        var y = scope.Node("Gemm", [rows, weight, bias], [rows.Shape[0], weight.Shape[0]], ("transB", 1L));
        return x.Rank == 2 ? y : y.Reshape([.. x.Shape[..^1], weight.Shape[0]]);
    }

    /// <summary>Rows of a table by id. <c>weight</c> (count, width). ids (..) -> (.., width).</summary>
    public static Value Embedding(this Scope scope, Value ids, long count, long width) => scope.Weight("weight", count, width).Gather(ids);

    /// <summary>Two linear maps with an activation between. x (.., in) -> (.., out).</summary>
    public static Value Mlp(this Scope scope, Value x, long hidden, Func<Value, Value> activation, string first = "fc1", string second = "fc2", bool bias = true)
    {
        var outputs = x.Shape[-1].Size;
        return scope[second].Linear(activation(scope[first].Linear(x, hidden, bias)), outputs, bias);
    }
}
