using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>
/// A denoiser of pictures of any size, conditioned on a time and on tokens of a text, whose inputs have the names of the reference's arguments: hidden_states (B, C, H, W), timestep (B), encoder_hidden_states (B, M, E),
/// encoder_attention_mask (B, M), and what else a paper has.
/// </summary>
internal sealed class TextNetwork : IDisposable
{
    private readonly SizedNetworks _networks;
    private readonly Conditions _conditions;
    private readonly string _output;

    /// <summary>Prepares networks over a checkpoint.</summary>
    /// <param name="context">Engine, weights, device.</param>
    /// <param name="name">Name of the network, for messages.</param>
    /// <param name="output">Name of its prediction.</param>
    /// <param name="conditions">What it takes.</param>
    /// <param name="build">Scope and inputs to the prediction.</param>
    public TextNetwork(NetworkContext context, string name, string output, Conditions conditions, Func<Scope, Inputs, Value> build)
    {
        (_conditions, _output) = (conditions, output);
        _networks = new(size => Network.Build(context, name, scope => Declare(scope, output, conditions, size.Height, size.Width, build)));
    }

    /// <summary>What a network takes beside the picture and the time.</summary>
    /// <param name="Channels">Channels of the picture.</param>
    /// <param name="Text">Width of the text's tokens.</param>
    /// <param name="Masked">True when padding of the text is masked.</param>
    /// <param name="Vectors">Further inputs (B, width) by argument name.</param>
    public sealed record Conditions(long Channels, long Text, bool Masked, params IReadOnlyList<(string Name, long Width)> Vectors)
    {
        /// <summary>Further pictures of the sample's extents, by argument name.</summary>
        public IReadOnlyList<string> Pictures { get; init; } = [];
    }

    /// <summary>The declared inputs by argument name.</summary>
    public sealed record Inputs(Value Sample, Value Time, Value Text, Value? Mask, IReadOnlyDictionary<string, Value> Vectors)
    {
        /// <summary>Further pictures.</summary>
        public required IReadOnlyDictionary<string, Value> Pictures { get; init; }
    }

    /// <summary>The tensors that a network needs.</summary>
    public static IReadOnlyList<string> Inventory(Conditions conditions, long height, long width, Func<Scope, Inputs, Value> build) =>
        Network.Inventory(scope => Declare(scope, "output", conditions, height, width, build));

    /// <summary>The reference's forward call: the prediction and every stage.</summary>
    public async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        var sample = arguments.Tensor<float>("hidden_states");
        var text = arguments.Tensor<float>("encoder_hidden_states");
        var mask = _conditions.Masked && arguments.Has("encoder_attention_mask") ? ClassNetwork.Times(arguments.Tensor("encoder_attention_mask")) : null;
        var vectors = _conditions.Vectors.ToDictionary(vector => vector.Name, vector => ClassNetwork.Times(arguments.Tensor(vector.Name)));
        foreach (var picture in _conditions.Pictures) vectors[picture] = arguments.Tensor<float>(picture);
        return (await RunAsync(sample, ClassNetwork.Times(arguments.Tensor("timestep")), text, mask, vectors, cancel).ConfigureAwait(false)).ToResults();
    }

    /// <summary>The prediction.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> sample, Tensor<float> time, Tensor<float> text, Tensor<float>? mask, IReadOnlyDictionary<string, Tensor<float>> vectors, CancellationToken cancel) =>
        (await RunAsync(sample, time, text, mask, vectors, cancel).ConfigureAwait(false))[_output];

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();

    private Task<NetworkOutputs> RunAsync(Tensor<float> sample, Tensor<float> time, Tensor<float> text, Tensor<float>? mask, IReadOnlyDictionary<string, Tensor<float>> vectors, CancellationToken cancel)
    {
        List<(string, Tensor)> inputs = [("hidden_states", sample), ("timestep", time), ("encoder_hidden_states", text)];
        if (_conditions.Masked) inputs.Add(("encoder_attention_mask", mask is null ? Ones(text) : ForAll(mask)));
        foreach (var (name, width) in _conditions.Vectors) inputs.Add((name, ForAll(vectors[name].Reshape(vectors[name].Length / width, width))));
        foreach (var picture in _conditions.Pictures) inputs.Add((picture, vectors[picture]));
        return _networks.RunAsync(sample.Shape[2], sample.Shape[3], cancel, [.. inputs]);

        // One row may stand for all samples.
        Tensor<float> ForAll(Tensor<float> rows) => rows.Shape[0] == sample.Shape[0] ? rows : Batch.Concat([.. Enumerable.Repeat(rows, (int)(sample.Shape[0] / rows.Shape[0]))]);
    }

    private static Tensor<float> Ones(Tensor<float> text)
    {
        var ones = Tensor.Zeros<float>(text.Shape[0], text.Shape[1]);
        ones.Span.Fill(1);
        return ones;
    }

    private static void Declare(Scope scope, string output, Conditions conditions, long height, long width, Func<Scope, Inputs, Value> build)
    {
        var (g, batch, tokens) = (scope.Graph, Dim.Symbol("batch"), Dim.Symbol("tokens"));
        var inputs = new Inputs(
            g.Input("hidden_states", [batch, conditions.Channels, height, width]), g.Input("timestep", [batch]), g.Input("encoder_hidden_states", [batch, tokens, conditions.Text]),
            conditions.Masked ? g.Input("encoder_attention_mask", [batch, tokens]) : null,
            conditions.Vectors.ToDictionary(vector => vector.Name, vector => g.Input(vector.Name, [batch, vector.Width])))
        {
            Pictures = conditions.Pictures.ToDictionary(picture => picture, picture => g.Input(picture, [batch, conditions.Channels, height, width])),
        };
        g.Output(output, build(scope, inputs));
    }
}
