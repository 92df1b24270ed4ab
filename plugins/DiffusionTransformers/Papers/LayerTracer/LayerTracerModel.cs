using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.LayerTracer;

/// <summary>LayerTracer: FLUX paints the stages of a drawing as panels of one picture.</summary>
public static class LayerTracerModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/layertracer",
            Paper = "LayerTracer: Cognitive-Aligned Layered SVG Synthesis via Diffusion Transformer",
            ArXiv = "2502.01105",
            Authors = ["Yiren Song", "Danze Chen", "Mike Zheng Shou"],
            Repository = "showlab/LayerTracer",
            CodeLicense = "MIT",
            WeightsLicense = "FLUX.1-dev Non-Commercial",
            Inputs = [Modality.Text, Modality.Image],
            Outputs = [Modality.Image],
            Layouts = ["Black Forest Labs: flux1-dev.safetensors + kohya LoRA, alone or with text_encoder (CLIP), text_encoder_2 (T5), their tokenizers and vae beside them"],
            Deviations = "The result is the picture of panels; they are not traced to SVG paths.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<LayerTracerConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(Weights.Base(source, "flux1*.safetensors"), checkpoint =>
        {
            var lora = Weights.Companions(source, "*lora*.safetensors")[0];
            var calls = new LayerTracerCalls(NetworkContext.Of(source, checkpoint), lora, config);
            return PublishedModel.Generating([checkpoint, lora], [calls], calls.CallAsync, PanelPipeline.Open(new(source), calls, config));
        });
    }
}

/// <summary>The calls of the authors' code.</summary>
internal sealed class LayerTracerCalls : IDisposable
{
    private readonly NetworkCache<float> _networks;
    private readonly LayerTracerConfig _config;

    /// <summary>Prepares networks over a checkpoint, one for each strength of the LoRA.</summary>
    public LayerTracerCalls(NetworkContext context, Checkpoint lora, LayerTracerConfig config)
    {
        _config = config;
        _networks = new(strength => Network.Build(context with { Weights = strength == 0 ? context.Weights : LoraTensors.Kohya(context.Weights, lora, strength) }, "flux", scope => Declare(scope, config)));
    }

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => ForwardAsync(arguments, cancel),
        "denoise_with_reference" => DenoiseAsync(arguments, cancel),
        "panel_differences" => Task.Run(() => new CallResults().Add("difference_masks", PanelDifferences.Of(arguments.Tensor<long>("image"), arguments.Literal("thresh", 3), arguments.Literal("grid", 3))), cancel),
        _ => throw Calls.Unknown(call, "forward, denoise_with_reference, panel_differences"),
    };

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();

    /// <summary>The velocity of packed tokens; see <see cref="FluxDenoiser"/>. mask (B, M) shows words, strength is the LoRA's.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> picture, (int Rows, int Columns) size, float time, Tensor<float> text, Tensor<float> pooled, float guidance, Tensor<float> mask, float strength, CancellationToken cancel)
    {
        var (batch, network) = (picture.Shape[0], await Task.Run(() => _networks[strength], cancel).ConfigureAwait(false));
        var (cos, sin) = FluxNetwork.Angles(FluxTransformer.Positions((int)text.Shape[1], size), _config.AxesDim, _config.Theta);
        List<(string, Tensor)> inputs = [("img", picture), ("txt", text), ("timesteps", Batch.Filled(batch, time)), ("y", pooled), ("txt_attention_mask", mask), ("cos", cos), ("sin", sin)];
        if (_config.GuidanceEmbed) inputs.Add(("guidance", Batch.Filled(batch, guidance)));
        return (await network.RunAsync(cancel, [.. inputs]).ConfigureAwait(false))["velocity"];
    }

    private async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        var guidance = _config.GuidanceEmbed ? arguments.Tensor<float>("guidance") : null;
        var results = (await RunAsync(arguments, arguments.Tensor<float>("img"), arguments.Tensor<float>("timesteps"), guidance, cancel).ConfigureAwait(false)).ToResults();
        // Cases name the prediction without the LoRA by itself.
        return arguments.Literal("lora_multiplier", 1f) == 0 ? results.Add("velocity_without_lora", results.Tensor("velocity")) : results;
    }

    // Euler; before every step the last panel is the reference.
    private async Task<CallResults> DenoiseAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (x, reference, steps) = (Batch.Copy(arguments.Tensor<float>("noise")), arguments.Tensor<float>("ae_outputs"), arguments.Literal("num_steps", 25));
        var (batch, tokens) = (x.Shape[0], (int)x.Shape[1]);
        var panels = (int)Math.Round(Math.Sqrt(4.0 * tokens / (reference.Shape[2] * reference.Shape[3])));
        var (rows, columns) = (panels * (int)reference.Shape[2] / 2, panels * (int)reference.Shape[3] / 2);
        var guidance = _config.GuidanceEmbed ? Batch.Filled(batch, arguments.Literal("guidance", 4f)) : null;
        var times = Schedule(steps, tokens);
        for (var i = 0; i < steps; i++)
        {
            Place(x, reference, rows, columns);
            var velocity = (await RunAsync(arguments, x, Batch.Filled(batch, times[i]), guidance, cancel).ConfigureAwait(false))["velocity"];
            x = Batch.AddScaled(x, times[i + 1] - times[i], velocity);
        }

        return new CallResults().Add("timesteps", Tensor.Create(times, times.Length)).Add("packed", x).Add("unpacked", Unpack(x, rows, columns));
    }

    private Task<NetworkOutputs> RunAsync(CallArguments arguments, Tensor<float> image, Tensor<float> time, Tensor<float>? guidance, CancellationToken cancel)
    {
        var text = arguments.Tensor<float>("txt");
        var mask = arguments.Has("txt_attention_mask") ? ClassNetwork.Times(arguments.Tensor("txt_attention_mask")) : Batch.Filled(text.Shape[0] * text.Shape[1], 1).Reshape(text.Shape[0], text.Shape[1]);
        var (cos, sin) = FluxNetwork.Angles(Batch.Concat(arguments.Tensor<float>("txt_ids").Slice(0), arguments.Tensor<float>("img_ids").Slice(0)), _config.AxesDim, _config.Theta);
        List<(string, Tensor)> inputs = [("img", image), ("txt", text), ("timesteps", time), ("y", arguments.Tensor<float>("y")), ("txt_attention_mask", mask), ("cos", cos), ("sin", sin)];
        if (guidance is not null) inputs.Add(("guidance", guidance));
        return _networks[arguments.Literal("lora_multiplier", 1f)].RunAsync(cancel, [.. inputs]);
    }

    private static void Declare(Scope scope, LayerTracerConfig config)
    {
        var (g, batch, tokens, words, half) = (scope.Graph, Dim.Symbol("batch"), Dim.Symbol("tokens"), Dim.Symbol("words"), config.HiddenSize / config.NumHeads / 2);
        var inputs = new FluxInputs(
            g.Input("img", [batch, tokens, config.InChannels]), g.Input("txt", [batch, words, config.ContextInDim]), g.Input("timesteps", [batch]), config.GuidanceEmbed ? g.Input("guidance", [batch]) : null,
            g.Input("y", [batch, config.VecInDim]), g.Input("txt_attention_mask", [batch, words]), g.Input("cos", [words + tokens, half]), g.Input("sin", [words + tokens, half]));
        g.Output("velocity", LayerTracerNetwork.Build(scope, inputs, config));
    }

    // From 1 to 0, kept longer near the noise the more tokens there are.
    private static float[] Schedule(int steps, int tokens)
    {
        var mu = (1.15 - 0.5) / (4096 - 256) * (tokens - 256) + 0.5;
        return [.. Enumerable.Range(0, steps + 1).Select(i => i == steps ? 0 : (float)(Math.Exp(mu) / (Math.Exp(mu) + (1 / (1 - i / (double)steps) - 1))))];
    }

    // A packed token holds (c, 2, 2) of the latent.
    private static (int Token, int Channel) Packed(int c, int y, int x, int columns) => (y / 2 * columns + x / 2, c * 4 + y % 2 * 2 + x % 2);

    private static Tensor<float> Unpack(Tensor<float> packed, int rows, int columns)
    {
        var result = Tensor.Zeros<float>(packed.Shape[0], packed.Shape[2] / 4, 2 * rows, 2 * columns);
        ForEach(result.Shape, (b, c, y, x) =>
        {
            var (token, channel) = Packed(c, y, x, columns);
            result[b, c, y, x] = packed[b, token, channel];
        });
        return result;
    }

    // The reference over the lower right corner of a packed latent.
    private static void Place(Tensor<float> packed, Tensor<float> reference, int rows, int columns) => ForEach(reference.Shape, (b, c, y, x) =>
    {
        var (token, channel) = Packed(c, 2 * rows - (int)reference.Shape[2] + y, 2 * columns - (int)reference.Shape[3] + x, columns);
        packed[b, token, channel] = reference[b, c, y, x];
    });

    private static void ForEach(ReadOnlySpan<long> shape, Action<int, int, int, int> visit)
    {
        for (var b = 0; b < shape[0]; b++)
        {
            for (var c = 0; c < shape[1]; c++)
            {
                for (var y = 0; y < shape[2]; y++)
                {
                    for (var x = 0; x < shape[3]; x++) visit(b, c, y, x);
                }
            }
        }
    }
}
