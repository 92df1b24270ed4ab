using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>Activations by the names that published configurations use.</summary>
public static class Activations
{
    /// <summary>The activation of that name, such as <c>gelu</c>, <c>gelu_new</c>, <c>quick_gelu</c>, <c>relu</c> or <c>silu</c>.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>: there is none.</exception>
    public static Func<Value, Value> Named(string name) => name switch
    {
        "gelu" or "gelu_python" => x => x.Gelu(),
        "gelu_new" or "gelu_fast" or "gelu_pytorch_tanh" or "gelu_tanh" or "gelu-approximate" => x => x.Gelu(Gelu.Tanh),
        "quick_gelu" => x => x.QuickGelu(),
        "relu" => x => x.Relu(),
        "relu2" => x => x.Relu().Square(),
        "silu" or "swish" => x => x.Silu(),
        "leaky_relu" => x => x.LeakyRelu(0.01),
        "elu" => x => x.Elu(),
        "mish" => x => x.Mish(),
        "tanh" => x => x.Tanh(),
        "sigmoid" => x => x.Sigmoid(),
        "softplus" => x => x.Softplus(),
        "linear" or "identity" => x => x,
        _ => throw new ModelZooException(ErrorCodes.ConfigInvalid, "There is no activation of that name.") { Expected = "gelu, gelu_new, quick_gelu, relu, relu2, silu, leaky_relu, elu, mish, tanh, sigmoid, softplus or linear", Found = name },
    };
}
