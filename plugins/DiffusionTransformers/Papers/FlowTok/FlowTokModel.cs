using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.FlowTok;

/// <summary>FlowTok: text tokens flow into image tokens.</summary>
public static class FlowTokModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/flowtok",
            Paper = "FlowTok: Flowing Seamlessly Across Text and Image Tokens",
            ArXiv = "2503.10772",
            Authors = ["Ju He", "Qihang Yu", "Qihao Liu", "Liang-Chieh Chen"],
            Repository = "TACJu/FlowTok",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["by specification: model.safetensors + config.json, alone or with text_encoder and tokenizer (CLIP) beside it"],
            Deviations = "Built by a specification that was written without the authors' code; weights of such code are not read.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<FlowTokConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var calls = new FlowTokCalls(NetworkContext.Of(source, checkpoint), config);
            checkpoint.ThrowIfUnused();
            var texts = ClipPrompts.Open(new PipelineFolder(source));
            return new([checkpoint], texts is null ? [calls] : [calls, texts], calls.CallAsync, new FlowTokGenerator(calls, texts, config));
        });
    }
}

/// <summary>The calls of the specification.</summary>
internal sealed class FlowTokCalls : IDisposable
{
    private readonly Network _encoder, _decoder, _projector, _dit, _captioner;

    /// <summary>Builds the networks.</summary>
    public FlowTokCalls(NetworkContext context, FlowTokConfig config)
    {
        var batch = Dim.Symbol("batch");
        _encoder = Network.Build(context, "flowtok encoder", scope =>
            Draw(scope, FlowTokNetworks.Encode(scope["tokenizer"], scope.Graph.Input("image", [batch, 3, config.ImageHeight, config.ImageWidth]), config), "image", [batch, config.NumTokens, config.TokenDim]));
        _projector = Network.Build(context, "flowtok text projector", scope =>
            Draw(scope, FlowTokNetworks.ProjectText(scope["text_projector"], scope.Graph.Input("text_features", [batch, config.TextLength, config.TextDim]), config), "text", [batch, config.TextLength, config.TokenDim]));
        _decoder = Network.Build(context, "flowtok decoder", scope =>
        {
            var (tokens, text) = (scope.Graph.Input("image_tokens", [batch, config.NumTokens, config.TokenDim]), scope.Graph.Input("text_features", [batch, config.TextLength, config.TextDim]));
            scope.Graph.Output("reconstruction", FlowTokNetworks.Decode(scope["tokenizer.decoder"], tokens, text, config));
        });
        _dit = Network.Build(context, "flowtok", scope =>
        {
            var g = scope.Graph;
            g.Output("velocity", FlowTokNetworks.Velocity(scope["dit"], g.Input("x", [batch, config.NumTokens, config.TokenDim]), g.Input("t", [batch]), g.Input("row", ElementType.Int64, [1]), config));
        });
        _captioner = Network.Build(context, "flowtok text decoder", scope =>
        {
            var logits = FlowTokNetworks.Caption(scope["text_decoder"], scope.Graph.Input("text_tokens", [batch, config.NumTokens, config.TokenDim]), config);
            scope.Graph.Output("caption_logits", logits);
            scope.Graph.Output("caption_ids", logits.ArgMax(-1));
        });
    }

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "encode" => DrawAsync(_encoder, "image", arguments.Tensor<float>("image"), arguments, cancel),
        "project_text" => DrawAsync(_projector, "text_features", arguments.Tensor<float>("text_features"), arguments, cancel),
        "velocity" => VelocityAsync(arguments, cancel),
        "sample" => SampleAsync(arguments, cancel),
        "decode" => RunAsync(_decoder, cancel, ("image_tokens", arguments.Tensor<float>("image_tokens")), ("text_features", arguments.Tensor<float>("text_features"))),
        "caption" => RunAsync(_captioner, cancel, ("text_tokens", arguments.Tensor<float>("text_tokens"))),
        _ => throw Calls.Unknown(call, "encode, project_text, velocity, sample, decode, caption"),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var network in (Network[])[_encoder, _decoder, _projector, _dit, _captioner]) network.Dispose();
    }

    /// <summary>The tokens of a text at some noise, both (B, M, ..).</summary>
    public async Task<Tensor<float>> ProjectAsync(Tensor<float> features, Tensor<float> noise, CancellationToken cancel) => (await _projector.RunAsync(cancel, ("text_features", features), ("noise", noise)).ConfigureAwait(false))["text_tokens"];

    /// <summary>The picture (B, 3, H, W) of tokens (B, K, D) and the features of its text.</summary>
    public async Task<Tensor<float>> PictureAsync(Tensor<float> tokens, Tensor<float> features, CancellationToken cancel) => (await _decoder.RunAsync(cancel, ("image_tokens", tokens), ("text_features", features)).ConfigureAwait(false))["reconstruction"];

    /// <summary>The guided velocity of tokens (B, K, D) at a time, from text 0 to picture 1.</summary>
    public async Task<Tensor<float>> VelocityAsync(Tensor<float> x, float time, double scale, CancellationToken cancel)
    {
        var t = Batch.Filled(x.Shape[0], time);
        var velocity = await PredictAsync(x, t, 1, cancel).ConfigureAwait(false);
        return scale == 1 ? velocity : Guidance.Combine(Batch.Concat(velocity, await PredictAsync(x, t, 0, cancel).ConfigureAwait(false)), scale);
    }

    private static void Draw(Scope scope, DiagonalGaussian gaussian, string name, Shape shape)
    {
        scope.Graph.Output($"{name}_mean", gaussian.Mean);
        scope.Graph.Output($"{name}_logvar", gaussian.LogVariance);
        scope.Graph.Output($"{name}_tokens", gaussian.Sample(scope.Graph.Input("noise", shape)));
    }

    // Without noise the tokens are the means.
    private static async Task<CallResults> DrawAsync(Network network, string name, Tensor<float> input, CallArguments arguments, CancellationToken cancel)
    {
        var shape = network.Session.Inputs.Single(port => port.Name == "noise").Shape;
        var noise = arguments.FindTensor<float>("noise") ?? Tensor.Zeros<float>(input.Shape[0], shape[1].Size, shape[2].Size);
        return await RunAsync(network, cancel, (name, input), ("noise", noise)).ConfigureAwait(false);
    }

    private async Task<CallResults> VelocityAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (x, t) = (arguments.Tensor<float>("x"), arguments.Tensor<float>("t"));
        var results = await RunAsync(_dit, cancel, ("x", x), ("t", t), ("row", Row(1))).ConfigureAwait(false);
        return results.Add("velocity_unconditional", await PredictAsync(x, t, 0, cancel).ConfigureAwait(false));
    }

    // Euler from the text's tokens (t = 0) in equal steps; no noise.
    private async Task<CallResults> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (x, steps, scale) = (arguments.Tensor<float>("text_tokens"), arguments.Literal("steps", 25), arguments.Literal("cfg_scale", 2.0));
        for (var i = 0; i < steps; i++)
        {
            x = Batch.AddScaled(x, 1f / steps, await VelocityAsync(x, i / (float)steps, scale, cancel).ConfigureAwait(false));
        }

        return new CallResults().Add("sampled_image_tokens", x);
    }

    private async Task<Tensor<float>> PredictAsync(Tensor<float> x, Tensor<float> t, long row, CancellationToken cancel) => (await _dit.RunAsync(cancel, ("x", x), ("t", t), ("row", Row(row))).ConfigureAwait(false))["velocity"];

    private static Tensor<long> Row(long row) => Tensor.Create<long>([row], 1);

    private static async Task<CallResults> RunAsync(Network network, CancellationToken cancel, params (string, Tensor)[] inputs) => (await network.RunAsync(cancel, inputs).ConfigureAwait(false)).ToResults();
}
