using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Flux;

/// <summary>Runs FLUX's network: packed pictures of any size beside texts of any length.</summary>
internal sealed class FluxTransformer : IDisposable
{
    private readonly Network _network;
    private readonly FluxConfig _config;
    private readonly double _theta;

    /// <summary>Builds it over a checkpoint.</summary>
    /// <param name="context">Engine, weights, device.</param>
    /// <param name="config">The published configuration.</param>
    /// <param name="hooks">What is not as published: given the scope, for further inputs.</param>
    /// <param name="tokens">Tokens of the picture where they are fixed.</param>
    /// <param name="words">Tokens of the text where they are fixed.</param>
    /// <param name="theta">Base of the rotary frequencies.</param>
    public FluxTransformer(NetworkContext context, FluxConfig config, Func<Scope, FluxHooks>? hooks = null, long? tokens = null, long? words = null, double theta = 10000)
    {
        (_config, _theta) = (config, theta);
        _network = Network.Build(context, "flux", scope => Declare(scope, config, hooks, tokens, words));
    }

    /// <summary>The inputs and the output.</summary>
    public static void Declare(Scope scope, FluxConfig config, Func<Scope, FluxHooks>? hooks = null, long? fixedTokens = null, long? fixedWords = null)
    {
        var (g, batch) = (scope.Graph, Dim.Symbol("batch"));
        var (tokens, words) = (fixedTokens is { } n ? n : Dim.Symbol("tokens"), fixedWords is { } m ? m : Dim.Symbol("words"));
        var (image, text) = (g.Input("hidden_states", [batch, tokens, config.InChannels]), g.Input("encoder_hidden_states", [batch, words, config.JointAttentionDim]));
        var (time, pooled) = (g.Input("timestep", [batch]), g.Input("pooled_projections", [batch, config.PooledProjectionDim]));
        var guidance = config.GuidanceEmbeds ? g.Input("guidance", [batch]) : null;
        var (cos, sin) = (g.Input("cos", [words + tokens, config.AttentionHeadDim / 2]), g.Input("sin", [words + tokens, config.AttentionHeadDim / 2]));
        g.Output("velocity", FluxNetwork.Build(scope, image, text, time, guidance, pooled, cos, sin, config, hooks?.Invoke(scope)));
    }

    /// <summary>The reference's forward call: the prediction and every stage.</summary>
    public Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel, params (string Name, Tensor Tensor)[] further) =>
        ForwardAsync(arguments, arguments.Tensor<float>("hidden_states"), ClassNetwork.Times(arguments.Tensor("timestep")), cancel, further);

    /// <summary>The same for another picture and time.</summary>
    public async Task<CallResults> ForwardAsync(CallArguments arguments, Tensor<float> picture, Tensor<float> time, CancellationToken cancel, params (string Name, Tensor Tensor)[] further)
    {
        var (cos, sin) = FluxNetwork.Angles(Batch.Concat(Ids(arguments, "txt_ids"), Ids(arguments, "img_ids")), _config.AxesDimsRope, _theta);
        var guidance = arguments.Has("guidance") && _config.GuidanceEmbeds ? ClassNetwork.Times(arguments.Tensor("guidance")) : null;
        var outputs = await RunAsync(picture, time, arguments.Tensor<float>("encoder_hidden_states"), arguments.Tensor<float>("pooled_projections"), guidance, cos, sin, cancel, further).ConfigureAwait(false);
        return outputs.ToResults().Add("rope_cos", Repeated(cos)).Add("rope_sin", Repeated(sin));
    }

    /// <summary>Places of words, all at the origin, and of a picture's tokens behind them; of the three axes the first is not used.</summary>
    public static Tensor<float> Positions(int words, (int Rows, int Columns) size)
    {
        var positions = Tensor.Zeros<float>(words + size.Rows * size.Columns, 3);
        for (var n = 0; n < size.Rows * size.Columns; n++) (positions[words + n, 1], positions[words + n, 2]) = (n / size.Columns, n % size.Columns);
        return positions;
    }

    /// <summary>The velocity of a packed picture (B, h w, C) of h rows and w columns of tokens, at a time in 0..1.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> picture, (int Rows, int Columns) size, float time, Tensor<float> text, Tensor<float> pooled, float guidance, CancellationToken cancel, params (string Name, Tensor Tensor)[] further)
    {
        var (batch, words) = (picture.Shape[0], (int)text.Shape[1]);
        var (cos, sin) = FluxNetwork.Angles(Positions(words, size), _config.AxesDimsRope, _theta);
        var outputs = await RunAsync(picture, Batch.Filled(batch, time), text, pooled, _config.GuidanceEmbeds ? Batch.Filled(batch, guidance) : null, cos, sin, cancel, further).ConfigureAwait(false);
        return outputs["velocity"];
    }

    private Task<NetworkOutputs> RunAsync(Tensor<float> picture, Tensor<float> time, Tensor<float> text, Tensor<float> pooled, Tensor<float>? guidance, Tensor<float> cos, Tensor<float> sin, CancellationToken cancel, (string Name, Tensor Tensor)[] further)
    {
        List<(string, Tensor)> inputs = [("hidden_states", picture), ("encoder_hidden_states", text), ("timestep", time), ("pooled_projections", pooled), ("cos", cos), ("sin", sin), .. further];
        if (guidance is not null) inputs.Add(("guidance", guidance));
        return _network.RunAsync(cancel, [.. inputs]);
    }

    /// <inheritdoc/>
    public void Dispose() => _network.Dispose();

    // Positions (count, axes), or (B, count, axes) as older code gives them.
    private static Tensor<float> Ids(CallArguments arguments, string name) => ClassNetwork.Times(arguments.Tensor(name)) is { Rank: 3 } batched ? batched.Slice(0) : ClassNetwork.Times(arguments.Tensor(name));

    private static Tensor<float> Repeated(Tensor<float> angles)
    {
        var result = Tensor.Zeros<float>(angles.Shape[0], 2 * angles.Shape[1]);
        for (var i = 0; i < result.Length; i++) result.Span[i] = angles.Span[i / 2];
        return result;
    }
}
